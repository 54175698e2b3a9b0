#pragma once
// Added tokens -> normalizer -> pre-tokenizer -> model, and back through the decoder: every vocabulary (tokenizer.json,
// tokenizer.model, GGUF, vocab.json + merges.txt, tiktoken ranks) becomes one of these.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qzo/tokenizer/tokenizer.h"

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"

namespace qzo::tokenizer {

// More tokens than any model has: keeps a wrong id in a file from becoming an allocation of many GB.
inline constexpr std::int64_t kMostTokens = 1 << 22;

struct PipelineParts {
  std::string source;               // file, for messages
  std::string kind;                 // for description(): "byte-level BPE"
  std::string pre_tokenizer_name;   // for description(); may be empty
  std::vector<std::string> tokens;  // by id, as the file writes them; "" where an id has no token
  std::vector<AddedToken> added_tokens;
  std::vector<std::int32_t> control_tokens;  // never found in a text; decode() may leave them out
  NormalizerPtr normalizer;                  // null: none
  NormalizerPtr later_normalizer;            // of sections that do not begin the text; null: the same
  PreTokenizerPtr pre_tokenizer;             // null: a section is one word
  std::unique_ptr<Model> model;
  DecoderPtr decoder;  // null: texts of tokens are joined with spaces, as Hugging Face does
  std::optional<std::int32_t> bos, eos;
  bool adds_bos = false;
};

// Id of a token or added token with this text.
std::optional<std::int32_t> find_token(const PipelineParts& parts, std::string_view text);

// UserError if added tokens contradict the vocabulary or each other.
std::unique_ptr<Tokenizer> make_pipeline(PipelineParts parts);

}  // namespace qzo::tokenizer
