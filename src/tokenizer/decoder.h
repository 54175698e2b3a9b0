#pragma once
// From token texts back to bytes.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/regex.h"

namespace qzo::tokenizer {

struct TokenText {
  std::string text;
  bool added = false;  // an added token stands for its own text, also in a byte-level vocabulary
};

// Thread-safe. Results may be any bytes: a token can end inside a character.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void apply(std::vector<TokenText>& tokens) const = 0;
};
using DecoderPtr = std::unique_ptr<Decoder>;

DecoderPtr make_byte_level_decoder();
DecoderPtr make_byte_fallback();  // "<0xE2>" becomes that byte
DecoderPtr make_fuse();           // all tokens become one
DecoderPtr make_replace_decoder(std::variant<std::string, Regex> wanted, std::string replacement);
// Up to `begin` copies of `content` (one character) are taken from the begin of each token, up to `end` from its end.
DecoderPtr make_strip_decoder(std::string content, std::size_t begin, std::size_t end);
// `mark` becomes a space, in the first token nothing if the scheme had put it there.
DecoderPtr make_metaspace_decoder(std::string mark, PrependScheme scheme);
DecoderPtr make_decoder_sequence(std::vector<DecoderPtr> steps);

}  // namespace qzo::tokenizer
