#pragma once
// A SentencePiece tokenizer.model, encoded by libsentencepiece itself; only added tokens are ours.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qzo/tokenizer/tokenizer.h"

#include "tokenizer/added_tokens.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace qzo::tokenizer {

// Which sections of a text that added tokens cut get the space that the model puts in front of a text.
enum class DummyPrefix {
  kEverySection,  // Hugging Face's "legacy" behaviour, the default of its classes
  kFirstSection,  // only what stands at the begin of the text
};

struct SentencePieceParts {
  std::string source;  // file, for messages
  std::unique_ptr<sentencepiece::SentencePieceProcessor> model;
  std::string bytes;  // of the file
  std::vector<AddedToken> added_tokens;
  DummyPrefix dummy_prefix = DummyPrefix::kEverySection;
  std::optional<std::int32_t> bos, eos;
  bool adds_bos = false;

  SentencePieceParts();
  ~SentencePieceParts();
  SentencePieceParts(SentencePieceParts&&) noexcept;
};

// BOS and EOS as the model file says; a model with BOS adds it, the convention of the Llama family. Nothing in a text
// becomes a control symbol. UserError if the file is broken.
SentencePieceParts parse_sentencepiece(std::string bytes, const std::string& source);

std::optional<std::int32_t> find_token(const SentencePieceParts& parts, std::string_view text);
std::unique_ptr<Tokenizer> make_sentencepiece(SentencePieceParts parts);

}  // namespace qzo::tokenizer
