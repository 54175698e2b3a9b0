#pragma once
// Llama-3's tokenizer.model: one token a line, its bytes in base64 and its rank, which is its id and its merge
// priority.

#include <string>
#include <string_view>

#include "tokenizer/pipeline.h"

namespace qzo::tokenizer {

bool looks_like_tiktoken(std::string_view bytes);

// The 256 special tokens behind the ranks are those published with Llama 3.1 and later. UserError for rank files of
// other models, whose pattern and special tokens the file does not tell.
PipelineParts parse_tiktoken(std::string_view bytes, const std::string& source);

}  // namespace qzo::tokenizer
