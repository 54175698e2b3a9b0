#pragma once
// The exchangeable steps that a tokenizer.json describes. Null in the file (nullopt here) means that there is no step.
// UserError naming file and component for a type that is not implemented.

#include <cstdint>
#include <optional>

#include "tokenizer/decoder.h"
#include "tokenizer/json_node.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"

namespace qzo::tokenizer {

NormalizerPtr parse_normalizer(const std::optional<JsonNode>& node);

struct ParsedPreTokenizer {
  PreTokenizerPtr step;     // may be null although byte_level is set (a ByteLevel that changes nothing)
  bool byte_level = false;  // the model works on bytes
};
ParsedPreTokenizer parse_pre_tokenizer(const std::optional<JsonNode>& node);

DecoderPtr parse_decoder(const std::optional<JsonNode>& node);

// The special token that the post-processor puts in front of a single text.
std::optional<std::int64_t> parse_leading_token(const std::optional<JsonNode>& node);

}  // namespace qzo::tokenizer
