#pragma once
// A SentencePiece vocabulary (sentencepiece_model.proto), whether it stands in a tokenizer.model or in a GGUF file.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pipeline.h"

namespace qzo::tokenizer {

enum class PieceType : std::uint8_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

struct Piece {
  std::string text;
  double score = 0;
  PieceType type = PieceType::kNormal;
};

enum class PieceModel : std::uint8_t { kUnigram = 1, kBpe, kWord, kCharacter };

// Defaults are those of the file format.
struct SentencePieceModel {
  std::string source;  // file, for messages
  std::vector<Piece> pieces;
  PieceModel model = PieceModel::kUnigram;
  bool byte_fallback = false;
  std::string bos_text = "<s>";
  std::string eos_text = "</s>";
  std::string charsmap;  // of the normalizer
  bool dummy_prefix = true;
  bool remove_extra_spaces = true;
  bool escape_spaces = true;
};

// UserError if the bytes are no such model, are damaged, or use what is not implemented (word models, spaces as
// suffix).
SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& source);

// Which sections of a text that added tokens cut get the space that the model puts in front of a text.
enum class DummyPrefix {
  kEverySection,  // Hugging Face's "legacy" behaviour, the default of its classes
  kFirstSection,  // only what stands at the begin of the text
};

// BOS and EOS by their texts; a model with BOS adds it, the convention of the Llama family. Nothing in a text becomes a
// control piece. `unknown` instead of the piece of that type, if given. UserError if pieces contradict each other.
PipelineParts make_sentencepiece(const SentencePieceModel& model, DummyPrefix prefix = DummyPrefix::kEverySection,
                                 std::optional<std::int32_t> unknown = std::nullopt);

}  // namespace qzo::tokenizer
