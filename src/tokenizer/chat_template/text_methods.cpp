#include "tokenizer/chat_template/text_methods.h"

#include <algorithm>
#include <array>

#include "qzo/core/text.h"

#include "tokenizer/unicode.h"

namespace qzo::tokenizer::chat_template {

namespace {

bool is_python_space(std::uint32_t code_point) {
  return is_white_space(code_point) || (code_point >= 0x1C && code_point <= 0x1F);
}

bool is_stripped(const std::string& character, const std::string& set) {
  return set.empty() ? is_python_space(code_point_at(character, 0)) : set.find(character) != std::string::npos;
}

const std::string& text_argument(const Arguments& arguments, std::size_t place, const std::string& method) {
  const Value* value = arguments.find(place, "");
  if (value == nullptr || value->text() == nullptr) throw Failure{core::quoted(method) + " needs a text as argument"};
  return *value->text();
}

std::int64_t count_argument(const Value* value, const std::string& method) {
  if (value == nullptr) return -1;
  if (const auto* count = value->as<std::int64_t>()) return *count;
  throw Failure{core::quoted(method) + " needs an integer as count"};
}

Value split_at_spaces(const std::string& text) {
  List out;
  std::string word;
  for (const std::string& character : characters(text)) {
    if (!is_stripped(character, "")) {
      word += character;
    } else if (!word.empty()) {
      out.push_back(Value::text(std::exchange(word, "")));
    }
  }
  if (!word.empty()) out.push_back(Value::text(std::move(word)));
  return Value::list(std::move(out));
}

Value split(const std::string& text, const Arguments& arguments) {
  const Value* separator = arguments.find(0, "sep");
  const std::int64_t most = count_argument(arguments.find(1, "maxsplit"), "split");
  if (separator == nullptr || separator->none()) {
    if (most >= 0) throw Failure{"split at white space with a count is not implemented"};
    return split_at_spaces(text);
  }
  if (separator->text() == nullptr || separator->text()->empty()) throw Failure{"split needs a text that is not empty"};
  List out;
  std::size_t from = 0;
  while (most < 0 || static_cast<std::int64_t>(out.size()) < most) {
    const std::size_t at = text.find(*separator->text(), from);
    if (at == std::string::npos) break;
    out.push_back(Value::text(text.substr(from, at - from)));
    from = at + separator->text()->size();
  }
  out.push_back(Value::text(text.substr(from)));
  return Value::list(std::move(out));
}

Value replace(const std::string& text, const Arguments& arguments) {
  const std::string& from = text_argument(arguments, 0, "replace");
  const std::string& to = text_argument(arguments, 1, "replace");
  if (from.empty()) throw Failure{"replace of an empty text is not implemented"};
  std::int64_t left = count_argument(arguments.find(2, "count"), "replace");
  std::string out;
  std::size_t at = 0;
  for (std::size_t next = 0; left != 0 && (next = text.find(from, at)) != std::string::npos; --left) {
    out.append(text, at, next - at);
    out += to;
    at = next + from.size();
    if (out.size() > kLargestValue) throw Failure{core::text("a value grows over ", kLargestValue, " characters")};
  }
  return Value::text(out.append(text, at));
}

// A text or a list of texts.
template <class Matches>
bool any_of(const Arguments& arguments, const std::string& method, const Matches& matches) {
  const Value* given = arguments.find(0, "");
  const List* list = given == nullptr ? nullptr : given->list();
  if (list == nullptr) return matches(text_argument(arguments, 0, method));
  return std::any_of(list->begin(), list->end(),
                     [&](const Value& value) { return value.text() != nullptr && matches(*value.text()); });
}

Value join(const std::string& separator, const Arguments& arguments) {
  const Value* values = arguments.find(0, "");
  if (values == nullptr) throw Failure{"join needs a list"};
  std::string out;
  bool first = true;
  for (const Value& value : items_of(*values)) {
    if (value.text() == nullptr) throw Failure{core::text("join needs texts, not ", kind_name(value))};
    if (!std::exchange(first, false)) out += separator;
    out += *value.text();
  }
  return Value::text(std::move(out));
}

Value count(const std::string& text, const std::string& wanted) {
  if (wanted.empty()) throw Failure{"count of an empty text is not implemented"};
  std::int64_t out = 0;
  for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; at += wanted.size()) ++out;
  return {out};
}

Value position(const std::string& text, const std::string& wanted) {
  const std::size_t at = text.find(wanted);
  if (at == std::string::npos) return {std::int64_t{-1}};
  return {static_cast<std::int64_t>(characters(text.substr(0, at)).size())};
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_letter(char c) { return upper(c) != lower(c); }

}  // namespace

std::string strip(const std::string& text, const std::string& set, bool left, bool right) {
  std::size_t begin = 0;
  std::size_t end = text.size();
  while (left && begin < end && is_stripped(text.substr(begin, character_length(text[begin])), set)) {
    begin += character_length(text[begin]);
  }
  while (right && end > begin) {
    const std::size_t last = previous_character(text, end);
    if (!is_stripped(text.substr(last, end - last), set)) break;
    end = last;
  }
  return text.substr(begin, end - begin);
}

std::string change_case(const std::string& text, const std::string& how) {
  std::string out;
  bool inside = false;  // of a word; of the text for capitalize
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) throw Failure{core::quoted(how) + " is implemented for ASCII only"};
    const bool up = how == "upper" || (how != "lower" && !inside);
    out += up ? upper(c) : lower(c);
    inside = how == "capitalize" || is_letter(c);
  }
  return out;
}

std::string indent(const std::string& text, std::int64_t width, const Arguments& arguments) {
  const Value* first = arguments.find(1, "first");
  const Value* blank = arguments.find(2, "blank");
  if (width < 0 || width > 1000) throw Failure{"indent needs a width from 0 to 1000"};
  const std::string spaces(static_cast<std::size_t>(width), ' ');
  std::string out;
  bool is_first = true;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const bool indented =
        is_first ? first != nullptr && truth(*first) : end > at || (blank != nullptr && truth(*blank));
    if (!is_first) out += '\n';
    if (indented) out += spaces;
    out.append(text, at, end - at);
    is_first = false;
    at = end + 1;
  }
  return out;
}

bool is_text_method(std::string_view name) {
  constexpr std::array<std::string_view, 15> kMethods = {"strip",      "lstrip",   "rstrip",     "split", "replace",
                                                         "startswith", "endswith", "join",       "upper", "lower",
                                                         "title",      "count",    "capitalize", "find",  "splitlines"};
  return std::find(kMethods.begin(), kMethods.end(), name) != kMethods.end();
}

Value call_text_method(const std::string& text, const std::string& name, const Arguments& arguments) {
  if (name.ends_with("strip")) {
    const Value* set = arguments.find(0, "");
    const bool all_spaces = set == nullptr || set->none();
    const std::string& wanted = all_spaces ? std::string() : text_argument(arguments, 0, name);
    if (!all_spaces && wanted.empty()) return Value::text(text);
    return Value::text(strip(text, wanted, name != "rstrip", name != "lstrip"));
  }
  if (name == "split") return split(text, arguments);
  if (name == "splitlines") {
    if (text.empty()) return Value::list({});
    const std::string whole = text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
    return split(whole, {.values = {Value::text("\n")}, .named = {}});
  }
  if (name == "replace") return replace(text, arguments);
  if (name == "startswith") {
    return {any_of(arguments, name, [&](const std::string& part) { return text.starts_with(part); })};
  }
  if (name == "endswith") {
    return {any_of(arguments, name, [&](const std::string& part) { return text.ends_with(part); })};
  }
  if (name == "join") return join(text, arguments);
  if (name == "count") return count(text, text_argument(arguments, 0, name));
  if (name == "find") return position(text, text_argument(arguments, 0, name));
  return Value::text(change_case(text, name));
}

}  // namespace qzo::tokenizer::chat_template
