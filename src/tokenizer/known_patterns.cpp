#include "tokenizer/known_patterns.h"

#include <array>

#include "tokenizer/character_class.h"
#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

using Class = CharacterClass;

// A text whose places are asked for classes.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text), classes_(character_classes()) {}

  [[nodiscard]] std::size_t size() const { return text_.size(); }
  [[nodiscard]] char byte(std::size_t at) const { return text_[at]; }
  [[nodiscard]] std::string_view from(std::size_t at) const { return text_.substr(at); }
  [[nodiscard]] std::size_t behind(std::size_t at) const { return at + character_length(text_[at]); }
  [[nodiscard]] Class class_at(std::size_t at) const { return classes_[code_point_at(text_, at)]; }
  // False at the end of the text.
  [[nodiscard]] bool is(Class wanted, std::size_t at) const { return at < text_.size() && class_at(at) == wanted; }
  [[nodiscard]] bool is_line_end(std::size_t at) const {
    return at < text_.size() && (text_[at] == '\r' || text_[at] == '\n');
  }
  [[nodiscard]] std::size_t run_end(Class wanted, std::size_t at) const {
    while (is(wanted, at)) at = behind(at);
    return at;
  }

  // \s+(?!\S)|\s+ : a space before something else is left to it, if there are others before.
  [[nodiscard]] std::size_t spaces_end(std::size_t at) const {
    const std::size_t end = run_end(Class::kSpace, at);
    if (end == size()) return end;
    const std::size_t last = previous_character(text_, end);
    return last > at ? last : end;
  }

  // 's|'t|'re|'ve|'m|'ll|'d ; `at` if none begins there.
  [[nodiscard]] std::size_t contraction_end(std::size_t at, bool any_case) const {
    if (text_[at] != '\'') return at;
    const auto letter = [&](std::size_t place) {
      if (at + place >= size()) return '\0';
      const char c = text_[at + place];
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char first = letter(1);
    const char second = letter(2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    if ((first == 'r' || first == 'v') && second == 'e') return at + 3;
    if (first == 'l' && second == 'l') return at + 3;
    // The long s is an s to those who do not mind the case.
    return any_case && from(at + 1).starts_with("\xC5\xBF") ? at + 3 : at;
  }

 private:
  std::string_view text_;
  const Class* classes_;
};

std::size_t gpt2_end(const Scanner& text, std::size_t at) {
  if (const std::size_t end = text.contraction_end(at, false); end > at) return end;
  const std::size_t word = text.byte(at) == ' ' && at + 1 < text.size() ? at + 1 : at;
  const Class kind = text.class_at(word);
  return kind == Class::kSpace ? text.spaces_end(at) : text.run_end(kind, word);
}

template <int kDigits>
std::size_t llama3_end(const Scanner& text, std::size_t at) {
  if (const std::size_t end = text.contraction_end(at, true); end > at) return end;
  const Class kind = text.class_at(at);
  if (kind == Class::kLetter) return text.run_end(Class::kLetter, at);
  if (kind == Class::kNumber) {
    std::size_t end = at;
    for (int i = 0; i < kDigits && text.is(Class::kNumber, end); ++i) end = text.behind(end);
    return end;
  }
  const std::size_t next = text.behind(at);
  if (!text.is_line_end(at) && text.is(Class::kLetter, next)) return text.run_end(Class::kLetter, next);
  if (kind == Class::kOther || (text.byte(at) == ' ' && text.is(Class::kOther, next))) {
    std::size_t end = text.run_end(Class::kOther, kind == Class::kOther ? at : next);
    while (text.is_line_end(end)) ++end;
    return end;
  }
  std::size_t behind_line_end = at;
  for (std::size_t i = at; text.is(Class::kSpace, i); i = text.behind(i)) {
    if (text.is_line_end(i)) behind_line_end = i + 1;
  }
  return behind_line_end > at ? behind_line_end : text.spaces_end(at);
}

std::size_t clip_end(const Scanner& text, std::size_t at) {
  for (const std::string_view token : {"<|startoftext|>", "<|endoftext|>"}) {
    if (text.from(at).starts_with(token)) return at + token.size();
  }
  if (const std::size_t end = text.contraction_end(at, false); end > at) return end;
  const Class kind = text.class_at(at);
  if (kind == Class::kSpace) return at;
  return kind == Class::kNumber ? text.behind(at) : text.run_end(kind, at);
}

std::size_t spaces_end(const Scanner& text, std::size_t at) { return text.run_end(Class::kSpace, at); }

template <std::size_t (*match_end)(const Scanner&, std::size_t)>
void find_all(std::string_view bytes, std::vector<Range>& matches) {
  const Scanner text(bytes);
  matches.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = match_end(text, at);
    if (end > at) matches.push_back({at, end});
    at = end > at ? end : text.behind(at);
  }
}

struct Known {
  std::string_view pattern;
  FindAll find_all;
};
constexpr std::array<Known, 5> kKnown = {{{kGpt2Pattern, find_all<gpt2_end>},
                                          {kLlama3Pattern, find_all<llama3_end<3>>},
                                          {kQwen2Pattern, find_all<llama3_end<1>>},
                                          {kClipPattern, find_all<clip_end>},
                                          {kSpacesPattern, find_all<spaces_end>}}};

}  // namespace

FindAll known_pattern(std::string_view pattern) {
  for (const Known& known : kKnown) {
    if (known.pattern == pattern) return known.find_all;
  }
  return nullptr;
}

}  // namespace qzo::tokenizer
