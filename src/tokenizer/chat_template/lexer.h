#pragma once
// A template's text as tokens, white space already removed where its marks and transformers' settings say so.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qzo::tokenizer::chat_template {

enum class TokenKind : std::uint8_t {
  kText,  // outside of tags
  kOutputBegin,
  kOutputEnd,  // {{ }}
  kBlockBegin,
  kBlockEnd,  // {% %}
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of a string: its value
  int line = 0;
};

// "source: line 3: sentence" as UserError.
[[noreturn]] void fail(const std::string& source, int line, const std::string& sentence);

// Ends with a kEnd. UserError for what is no token.
std::vector<Token> tokenize(std::string_view text, const std::string& source);

}  // namespace qzo::tokenizer::chat_template
