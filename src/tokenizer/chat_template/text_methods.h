#pragma once
// What Python's str can do.

#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/chat_template/builtins.h"

namespace qzo::tokenizer::chat_template {

// Without the characters of `set` (white space if empty) at its ends.
std::string strip(const std::string& text, const std::string& set, bool left, bool right);
// upper, lower, capitalize, title; Failure for characters outside ASCII, where Python has rules of its own.
std::string change_case(const std::string& text, const std::string& how);
// Jinja's filter: `width` spaces in front of every line that is not empty, the first only if asked for.
std::string indent(const std::string& text, std::int64_t width, const Arguments& arguments);
Value call_text_method(const std::string& text, const std::string& name, const Arguments& arguments);
bool is_text_method(std::string_view name);

}  // namespace qzo::tokenizer::chat_template
