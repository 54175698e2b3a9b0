#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qzo::tokenizer {

// The bytes; nullopt if `text` is empty or not padded base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace qzo::tokenizer
