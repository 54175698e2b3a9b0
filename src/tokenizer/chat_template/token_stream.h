#pragma once
// Tokens with what a parser asks of them.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "qzo/core/text.h"

#include "tokenizer/chat_template/lexer.h"

namespace qzo::tokenizer::chat_template {

class TokenStream {
 public:
  TokenStream(std::string_view text, const std::string& source) : source_(source), tokens_(tokenize(text, source)) {}

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  [[nodiscard]] int line() const { return peek().line; }
  [[nodiscard]] bool at(TokenKind kind) const { return peek().kind == kind; }
  [[nodiscard]] bool at_operator(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kOperator && peek(ahead).text == text;
  }
  [[nodiscard]] bool at_name(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kName && peek(ahead).text == text;
  }
  bool take_operator(std::string_view text) { return at_operator(text) && (next(), true); }
  bool take_name(std::string_view text) { return at_name(text) && (next(), true); }
  void expect_operator(std::string_view text) {
    if (!take_operator(text)) unexpected(core::quoted(text));
  }
  std::string expect_name(const char* what) {
    if (!at(TokenKind::kName)) unexpected(what);
    return next().text;
  }
  void expect(TokenKind kind, const char* what) {
    if (!at(kind)) unexpected(what);
    next();
  }
  [[noreturn]] void unexpected(const std::string& expected) const {
    const bool ends = at(TokenKind::kEnd) || at(TokenKind::kBlockEnd) || at(TokenKind::kOutputEnd);
    refuse(core::text("expected ", expected, ", found ", ends ? "the end of the tag" : core::quoted(peek().text)));
  }
  [[noreturn]] void refuse(const std::string& sentence) const { fail(source_, line(), sentence); }

 private:
  const std::string& source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

// Keeps a template's nesting from becoming the stack's.
class Depth {
 public:
  static constexpr int kMost = 100;
  Depth(int& depth, const TokenStream& tokens) : depth_(depth) {
    if (++depth_ > kMost) tokens.refuse(core::text("nested deeper than ", kMost, " levels"));
  }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  int& depth_;
};

}  // namespace qzo::tokenizer::chat_template
