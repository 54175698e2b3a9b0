#include "tokenizer/chat_template/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tokenizer/unicode.h"

namespace qzo::tokenizer::chat_template {

namespace {

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  const double size = std::fabs(value);
  // Python writes exponents from 1e16 and below 1e-4.
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string out(buffer, end.ptr);
  if (fixed && out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string repr(const std::string& text) {
  const char quote = text.find('\'') != std::string::npos && text.find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      if (c == quote || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + quote;
}

std::string nested_text(const Value& value) { return value.text() != nullptr ? repr(*value.text()) : to_text(value); }

std::string dict_text(const Dict& dict) {
  std::string out = "{";
  for (const auto& [key, member] : dict) out += (out.size() > 1 ? ", " : "") + repr(key) + ": " + nested_text(member);
  return out + "}";
}

void append_json_string(const std::string& text, std::string& out) {
  out += ChatVariables(text).dump();  // the same escapes as json.dumps without ensure_ascii
}

void append_json(const Value& value, int indent, int depth, std::string& out) {
  const auto line = [&](int levels) {
    if (indent >= 0) out += "\n" + std::string(static_cast<std::size_t>(indent * levels), ' ');
  };
  const char* separator = indent >= 0 ? "," : ", ";
  if (const List* list = value.list()) {
    out += '[';
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (i > 0) out += separator;
      line(depth + 1);
      append_json((*list)[i], indent, depth + 1, out);
    }
    if (!list->empty()) line(depth);
    out += ']';
  } else if (const Dict* dict = value.dict()) {
    out += '{';
    for (std::size_t i = 0; i < dict->size(); ++i) {
      if (i > 0) out += separator;
      line(depth + 1);
      append_json_string((*dict)[i].first, out);
      out += ": ";
      append_json((*dict)[i].second, indent, depth + 1, out);
    }
    if (!dict->empty()) line(depth);
    out += '}';
  } else if (const std::string* text = value.text()) {
    append_json_string(*text, out);
  } else if (const bool* flag = value.as<bool>()) {
    out += *flag ? "true" : "false";
  } else if (value.none()) {
    out += "null";
  } else {
    out += to_text(value);
  }
}

// Python compares numbers of all kinds, truth values among them.
bool number_of(const Value& value, double& out) {
  if (const bool* flag = value.as<bool>()) out = *flag ? 1 : 0;
  if (const auto* integer = value.as<std::int64_t>()) out = static_cast<double>(*integer);
  if (const double* number = value.as<double>()) out = *number;
  return value.as<bool>() != nullptr || value.as<std::int64_t>() != nullptr || value.as<double>() != nullptr;
}

}  // namespace

const List* Value::list() const {
  const auto* pointer = as<std::shared_ptr<const List>>();
  return pointer == nullptr ? nullptr : pointer->get();
}

const Dict* Value::dict() const {
  const auto* pointer = as<std::shared_ptr<const Dict>>();
  return pointer == nullptr ? nullptr : pointer->get();
}

const Value* find(const Dict& dict, const std::string& key) {
  const auto found = std::find_if(dict.begin(), dict.end(), [&](const auto& member) { return member.first == key; });
  return found == dict.end() ? nullptr : &found->second;
}

bool truth(const Value& value) {
  if (value.undefined() || value.none()) return false;
  if (const bool* flag = value.as<bool>()) return *flag;
  if (const auto* integer = value.as<std::int64_t>()) return *integer != 0;
  if (const double* number = value.as<double>()) return *number != 0;
  if (const std::string* text = value.text()) return !text->empty();
  if (const List* list = value.list()) return !list->empty();
  if (const Dict* dict = value.dict()) return !dict->empty();
  return true;
}

bool equal(const Value& left, const Value& right) {
  const auto* a = left.as<std::int64_t>();
  const auto* b = right.as<std::int64_t>();
  if (a != nullptr && b != nullptr) return *a == *b;
  double x = 0;
  double y = 0;
  if (number_of(left, x) && number_of(right, y)) return x == y;
  if (left.content.index() != right.content.index()) return false;
  if (left.text() != nullptr) return *left.text() == *right.text();
  if (left.list() != nullptr) {
    return std::equal(left.list()->begin(), left.list()->end(), right.list()->begin(), right.list()->end(), equal);
  }
  if (left.dict() != nullptr) {
    return left.dict()->size() == right.dict()->size() &&
           std::all_of(left.dict()->begin(), left.dict()->end(), [&](const auto& member) {
             const Value* other = find(*right.dict(), member.first);
             return other != nullptr && equal(member.second, *other);
           });
  }
  return left.none() || left.undefined();
}

const char* kind_name(const Value& value) {
  static constexpr const char* kNames[] = {"an undefined value", "none",       "a truth value", "an integer",
                                           "a number",           "a text",     "a list",        "a dict",
                                           "a namespace",        "a function", "a macro"};
  return kNames[value.content.index()];
}

std::string to_text(const Value& value) {
  if (value.undefined()) return "";
  if (value.none()) return "None";
  if (const bool* flag = value.as<bool>()) return *flag ? "True" : "False";
  if (const auto* integer = value.as<std::int64_t>()) return std::to_string(*integer);
  if (const double* number = value.as<double>()) return number_text(*number);
  if (const std::string* text = value.text()) return *text;
  if (const Dict* dict = value.dict()) return dict_text(*dict);
  if (const List* list = value.list()) {
    std::string out = "[";
    for (const Value& item : *list) out += (out.size() > 1 ? ", " : "") + nested_text(item);
    return out + "]";
  }
  return std::string("<") + kind_name(value) + ">";
}

std::string json_text(const Value& value, int indent) {
  std::string out;
  append_json(value, indent, 0, out);
  return out;
}

Value from_json(const ChatVariables& json) {
  if (json.is_string()) return Value::text(replace_invalid_utf8(json.get_ref<const std::string&>()));
  if (json.is_boolean()) return {json.get<bool>()};
  if (json.is_number_integer()) return {json.get<std::int64_t>()};
  if (json.is_number()) return {json.get<double>()};
  if (json.is_array()) {
    List out;
    for (const ChatVariables& item : json) out.push_back(from_json(item));
    return Value::list(std::move(out));
  }
  if (json.is_object()) {
    Dict out;
    for (const auto& [key, member] : json.items()) out.emplace_back(key, from_json(member));
    return Value::dict(std::move(out));
  }
  return {};
}

std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    out.push_back(text.substr(at, character_length(text[at])));
    at += out.back().size();
  }
  return out;
}

}  // namespace qzo::tokenizer::chat_template
