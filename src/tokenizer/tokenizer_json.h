#pragma once
// tokenizer.json of Hugging Face's tokenizers, up to the point where a folder's other files may add to it.

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/json_node.h"
#include "tokenizer/pipeline.h"

namespace qzo::tokenizer {

// Token texts by id of {"text": id, ...}. UserError on ids out of range or given twice.
std::vector<std::string> parse_vocabulary(const JsonNode& node);

// The flags of an added token (tokenizer.json and added_tokens_decoder of tokenizer_config.json write them alike).
AddedToken parse_added_token(const JsonNode& node, std::int64_t id);

// `source` names the file. Truncation and padding settings are left to the caller of the tokenizer.
PipelineParts parse_tokenizer_json(const JsonNode& root, const std::string& source);

}  // namespace qzo::tokenizer
