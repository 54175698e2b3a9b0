#include "tokenizer/chat_template/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/unicode.h"

namespace qzo::tokenizer::chat_template {

namespace {

constexpr std::string_view kSpaces = " \t\n\r\f\v";

// Jinja's own: every kind of line end is "\n", and one at the end of the template does not count.
std::string with_plain_line_ends(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      if (i + 1 < text.size() && text[i + 1] == '\n') continue;
      out += '\n';
    } else {
      out += text[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  Lexer(std::string_view text, const std::string& source) : text_(with_plain_line_ends(text)), source_(source) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) {
      std::size_t tag = text_.find('{', at_);
      while (tag != std::string::npos && !begins_tag(tag)) tag = text_.find('{', tag + 1);
      if (tag == std::string::npos) tag = text_.size();
      add_text(tag);
      if (tag == text_.size()) break;
      const char kind = text_[tag + 1];
      advance_to(tag + 2);
      if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) advance_to(at_ + 1);
      if (kind == '#') {
        skip_comment();
      } else {
        read_tag(kind == '%');
      }
    }
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] bool begins_tag(std::size_t at) const {
    return at + 1 < text_.size() && (text_[at + 1] == '{' || text_[at + 1] == '%' || text_[at + 1] == '#');
  }
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  void advance_to(std::size_t at) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    at_ = at;
  }

  // The text up to `tag`, without what {%- or (at the begin of a line) {% and {# take away.
  void add_text(std::size_t tag) {
    std::string_view text = std::string_view(text_).substr(at_, tag - at_);
    const char mark = tag + 2 < text_.size() ? text_[tag + 2] : ' ';
    if (tag < text_.size() && mark == '-') {
      text = text.substr(0, text.find_last_not_of(kSpaces) + 1);
    } else if (tag < text_.size() && mark != '+' && text_[tag + 1] != '{') {
      const std::size_t line_begin = text.rfind('\n') + 1;  // 0 if there is none
      const bool at_line_begin = line_begin > 0 || line_begins_;
      if (at_line_begin && text.find_first_not_of(kSpaces, line_begin) == std::string_view::npos) {
        text = text.substr(0, line_begin);
      }
    }
    if (!text.empty()) add(TokenKind::kText, std::string(text));
    advance_to(tag);
  }

  // Behind a tag: "-" takes all white space, a block also takes one line end, unless "+" keeps it.
  void end_tag(char mark, bool takes_line_end) {
    const std::size_t before = at_;
    if (mark == '-') {
      advance_to(std::min(text_.find_first_not_of(kSpaces, at_), text_.size()));
    } else if (takes_line_end && mark != '+' && at_ < text_.size() && text_[at_] == '\n') {
      advance_to(at_ + 1);
    }
    line_begins_ = at_ > before && text_[at_ - 1] == '\n';
  }

  void skip_comment() {
    const std::size_t end = text_.find("#}", at_);
    if (end == std::string::npos) fail(source_, line_, "a comment has no end (#})");
    const char mark = end > at_ ? text_[end - 1] : ' ';
    advance_to(end + 2);
    end_tag(mark, true);
  }

  void read_tag(bool block) {
    add(block ? TokenKind::kBlockBegin : TokenKind::kOutputBegin, "");
    int depth = 0;  // of brackets: "}}" inside a dict ends nothing
    while (true) {
      advance_to(std::min(text_.find_first_not_of(kSpaces, at_), text_.size()));
      if (at_ == text_.size()) fail(source_, line_, block ? "a block has no end (%})" : "an output has no end (}})");
      const std::string_view rest = std::string_view(text_).substr(at_);
      const std::string_view end = block ? "%}" : "}}";
      const bool marked = rest.front() == '-' || (block && rest.front() == '+');
      if (depth == 0 && (rest.starts_with(end) || (marked && rest.substr(1).starts_with(end)))) {
        const char mark = marked ? rest.front() : ' ';
        add(block ? TokenKind::kBlockEnd : TokenKind::kOutputEnd, "");
        advance_to(at_ + (marked ? 3 : 2));
        end_tag(mark, block);
        return;
      }
      if (rest.front() == '{' || rest.front() == '(' || rest.front() == '[') ++depth;
      if (rest.front() == '}' || rest.front() == ')' || rest.front() == ']') --depth;
      read_token(rest);
    }
  }

  void read_token(std::string_view rest) {
    const char first = rest.front();
    std::size_t length = 1;
    if (first == '\'' || first == '"') return read_string(first);
    if (is_name_start(first)) {
      while (length < rest.size() && (is_name_start(rest[length]) || is_digit(rest[length]))) ++length;
      add(TokenKind::kName, std::string(rest.substr(0, length)));
    } else if (is_digit(first)) {
      while (length < rest.size() && is_digit(rest[length])) ++length;
      const bool fraction = length + 1 < rest.size() && rest[length] == '.' && is_digit(rest[length + 1]);
      if (fraction) ++length;
      while (length < rest.size() && is_digit(rest[length])) ++length;
      add(fraction ? TokenKind::kFloat : TokenKind::kInteger, std::string(rest.substr(0, length)));
    } else {
      constexpr std::array<std::string_view, 6> kDouble = {"==", "!=", "<=", ">=", "//", "**"};
      constexpr std::string_view kSingle = "+-*/%~<>()[]{}.,:|=";
      const bool two = std::find(kDouble.begin(), kDouble.end(), rest.substr(0, 2)) != kDouble.end();
      if (!two && kSingle.find(first) == std::string_view::npos) {
        fail(source_, line_, "unexpected " + core::quoted(rest.substr(0, character_length(first))));
      }
      length = two ? 2 : 1;
      add(TokenKind::kOperator, std::string(rest.substr(0, length)));
    }
    advance_to(at_ + length);
  }

  void read_string(char quote) {
    std::string value;
    std::size_t i = at_ + 1;
    for (; i < text_.size() && text_[i] != quote; ++i) {
      if (text_[i] != '\\' || i + 1 >= text_.size()) {
        value += text_[i];
      } else {
        ++i;
        i += read_escape(std::string_view(text_).substr(i), value);
      }
    }
    if (i >= text_.size()) fail(source_, line_, "a string has no end");
    add(TokenKind::kString, std::move(value));
    advance_to(i + 1);
  }

  // The escape that begins with text.front(); returns how many characters follow that one. As in Python, an unknown one
  // stands for itself.
  std::size_t read_escape(std::string_view text, std::string& value) {
    constexpr std::string_view kFrom = "ntrbfv0\\'\"";
    constexpr std::string_view kTo{"\n\t\r\b\f\v\0\\'\"", 10};
    const std::size_t digits = text.front() == 'x' ? 2 : text.front() == 'u' ? 4 : 0;
    if (digits > 0) {
      std::uint32_t code_point = 0;
      const std::string_view number = text.substr(1, digits);
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), code_point, 16);
      const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
      if (error != std::errc() || end != number.data() + number.size() || number.size() != digits || surrogate) {
        fail(source_, line_,
             "the escape " + core::quoted("\\" + std::string(text.substr(0, digits + 1))) + " is no character");
      }
      append_code_point(value, code_point);
    } else if (const std::size_t known = kFrom.find(text.front()); known != std::string_view::npos) {
      value += kTo[known];
    } else if (text.front() != '\n') {
      value += '\\';
      value += text.front();
    }
    return digits;
  }

  std::string text_;
  const std::string& source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_begins_ = true;  // the text here begins a line
};

}  // namespace

void fail(const std::string& source, int line, const std::string& sentence) {
  throw core::UserError(core::text(source, ": line ", line, ": ", sentence));
}

std::vector<Token> tokenize(std::string_view text, const std::string& source) { return Lexer(text, source).run(); }

}  // namespace qzo::tokenizer::chat_template
