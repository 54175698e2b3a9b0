#include <algorithm>
#include <array>
#include <charconv>

#include "qzo/core/text.h"

#include "tokenizer/chat_template/builtins.h"
#include "tokenizer/chat_template/text_methods.h"

namespace qzo::tokenizer::chat_template {

namespace {

constexpr std::array<std::string_view, 26> kFilters = {
    "trim",    "tojson", "length", "count",  "join",       "upper",      "lower",  "capitalize", "default",
    "d",       "first",  "last",   "list",   "items",      "string",     "int",    "replace",    "map",
    "reverse", "safe",   "select", "reject", "selectattr", "rejectattr", "indent", "abs"};

constexpr std::array<std::string_view, 24> kTests = {
    "defined", "undefined", "none",    "string",      "number",   "integer",  "float", "boolean",
    "true",    "false",     "mapping", "iterable",    "sequence", "equalto",  "eq",    "ne",
    "in",      "odd",       "even",    "divisibleby", "sameas",   "callable", "lt",    "gt"};

const std::string& text_of(const Value& value, const char* what) {
  if (value.text() == nullptr) throw Failure{core::text(what, " needs a text, not ", kind_name(value))};
  return *value.text();
}

std::int64_t integer_of(const Value* value, std::int64_t otherwise, const char* what) {
  if (value == nullptr) return otherwise;
  if (const auto* integer = value->as<std::int64_t>()) return *integer;
  throw Failure{core::text(what, " needs an integer, not ", kind_name(*value))};
}

const Value& required(const Value* value, const std::string& filter) {
  if (value == nullptr) throw Failure{core::quoted(filter) + " lacks an argument"};
  return *value;
}

std::int64_t length_of(const Value& value) {
  if (const std::string* text = value.text()) return static_cast<std::int64_t>(characters(*text).size());
  if (const List* list = value.list()) return static_cast<std::int64_t>(list->size());
  if (const Dict* dict = value.dict()) return static_cast<std::int64_t>(dict->size());
  if (value.undefined()) return 0;
  throw Failure{core::text(kind_name(value), " has no length")};
}

Value to_integer(const Value& value, std::int64_t otherwise) {
  if (const bool* flag = value.as<bool>()) return {std::int64_t{*flag ? 1 : 0}};
  if (value.as<std::int64_t>() != nullptr) return value;
  if (const double* number = value.as<double>(); number != nullptr && *number > -9e18 && *number < 9e18) {
    return {static_cast<std::int64_t>(*number)};
  }
  if (const std::string* text = value.text()) {
    std::int64_t out = 0;
    const std::string stripped = strip(*text, "", true, true);
    const auto [end, error] = std::from_chars(stripped.data(), stripped.data() + stripped.size(), out);
    if (error == std::errc() && end == stripped.data() + stripped.size()) return {out};
  }
  return {otherwise};
}

Value map(const Value& value, const Arguments& arguments) {
  List out;
  const Value* attribute = arguments.find(~std::size_t{0}, "attribute");
  for (const Value& element : items_of(value)) {
    if (attribute != nullptr) {
      out.push_back(item(element, *attribute));
      continue;
    }
    const std::string& filter = text_of(required(arguments.find(0, ""), "map"), "map");
    // One level only: a filter that maps could call itself without end.
    if (!is_filter(filter) || filter == "map")
      throw Failure{"map with " + core::quoted(filter) + " is not implemented"};
    Arguments rest;
    rest.values.assign(arguments.values.begin() + 1, arguments.values.end());
    out.push_back(apply_filter(filter, element, rest));
  }
  return Value::list(std::move(out));
}

// select, reject, selectattr, rejectattr: [attribute,] [test, arguments]
Value choose(const std::string& filter, const Value& value, const Arguments& arguments) {
  const bool wanted = filter.starts_with("select");
  const std::size_t attribute = filter.ends_with("attr") ? 1 : 0;
  if (arguments.values.size() < attribute) throw Failure{core::quoted(filter) + " lacks an argument"};
  List out;
  for (const Value& element : items_of(value)) {
    const Value tested = attribute == 0 ? element : item(element, arguments.values[0]);
    bool holds = truth(tested);
    if (arguments.values.size() > attribute) {
      const std::string& test = text_of(arguments.values[attribute], "a test");
      if (!is_test(test)) throw Failure{"the test " + core::quoted(test) + " is not implemented"};
      Arguments rest;
      rest.values.assign(arguments.values.begin() + static_cast<std::ptrdiff_t>(attribute) + 1, arguments.values.end());
      holds = apply_test(test, tested, rest);
    }
    if (holds == wanted) out.push_back(element);
  }
  return Value::list(std::move(out));
}

Value join(const Value& value, const Arguments& arguments) {
  std::string out;
  bool first = true;
  const Value* separator = arguments.find(0, "d");
  const Value* attribute = arguments.find(1, "attribute");
  for (const Value& element : items_of(value)) {
    if (!std::exchange(first, false) && separator != nullptr) out += to_text(*separator);
    out += to_text(attribute == nullptr ? element : item(element, *attribute));
  }
  return Value::text(std::move(out));
}

Value list_filter(const std::string& name, const Value& value) {
  if (name == "items") {
    List out;
    if (value.undefined()) return Value::list({});
    if (value.dict() == nullptr) throw Failure{core::text("items needs a dict, not ", kind_name(value))};
    for (const auto& [key, member] : *value.dict()) out.push_back(Value::list({Value::text(key), member}));
    return Value::list(std::move(out));
  }
  List items = items_of(value);
  if (name == "list") return Value::list(std::move(items));
  if (name == "reverse") {
    std::reverse(items.begin(), items.end());
    if (value.text() == nullptr) return Value::list(std::move(items));
    return join(Value::list(std::move(items)), {});
  }
  if (items.empty()) return {Undefined{name + " of nothing"}};
  return name == "first" ? items.front() : items.back();
}

Value text_filter(const std::string& name, const std::string& text, const Arguments& arguments) {
  if (name == "trim") {
    const Value* stripped = arguments.find(0, "chars");
    return Value::text(strip(text, stripped == nullptr ? "" : text_of(*stripped, "trim"), true, true));
  }
  if (name == "replace") {
    return call_method(Value::text(text), "replace", arguments);
  }
  if (name == "indent")
    return Value::text(indent(text, integer_of(arguments.find(0, "width"), 4, "indent"), arguments));
  return Value::text(change_case(text, name));
}

Value absolute(const Value& value) {
  if (const double* number = value.as<double>()) return {*number < 0 ? -*number : *number};
  const std::int64_t integer = integer_of(&value, 0, "abs");
  return integer < 0 ? binary("-", Value(Value::Content(std::int64_t{0})), value) : value;
}

bool is_number(const Value& value) { return value.as<std::int64_t>() != nullptr || value.as<double>() != nullptr; }
// Truth values are integers in Python.
bool counts_as_number(const Value& value) { return is_number(value) || value.as<bool>() != nullptr; }

bool kind_test(const std::string& name, const Value& value) {
  const bool* flag = value.as<bool>();
  if (name == "defined") return !value.undefined();
  if (name == "undefined") return value.undefined();
  if (name == "none") return value.none();
  if (name == "string") return value.text() != nullptr;
  if (name == "number") return counts_as_number(value);
  if (name == "integer") return value.as<std::int64_t>() != nullptr;
  if (name == "float") return value.as<double>() != nullptr;
  if (name == "boolean") return flag != nullptr;
  if (name == "true") return flag != nullptr && *flag;
  if (name == "false") return flag != nullptr && !*flag;
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "callable") return value.as<Function>() != nullptr || value.as<Macro>() != nullptr;
  // iterable, sequence; undefined values are both in Jinja
  return value.list() != nullptr || value.dict() != nullptr || value.text() != nullptr || value.undefined();
}

}  // namespace

const Value* Arguments::find(std::size_t place, std::string_view name) const {
  if (place < values.size()) return &values[place];
  const auto found = std::find_if(named.begin(), named.end(), [&](const auto& pair) { return pair.first == name; });
  return found == named.end() ? nullptr : &found->second;
}

bool is_filter(std::string_view name) { return std::find(kFilters.begin(), kFilters.end(), name) != kFilters.end(); }
bool is_test(std::string_view name) { return std::find(kTests.begin(), kTests.end(), name) != kTests.end(); }
bool takes_argument(std::string_view test) {
  constexpr std::array<std::string_view, 8> kWithArgument = {"equalto", "eq", "ne",     "in",
                                                             "lt",      "gt", "sameas", "divisibleby"};
  return std::find(kWithArgument.begin(), kWithArgument.end(), test) != kWithArgument.end();
}

Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments) {
  if (name == "default" || name == "d") {
    const Value* otherwise = arguments.find(0, "default_value");
    const Value* also_false = arguments.find(1, "boolean");
    const bool missing = value.undefined() || (also_false != nullptr && truth(*also_false) && !truth(value));
    if (!missing) return value;
    return otherwise == nullptr ? Value::text("") : *otherwise;
  }
  if (name == "length" || name == "count") return {length_of(value)};
  if (name == "join") return join(value, arguments);
  if (name == "map") return map(value, arguments);
  if (name.starts_with("select") || name.starts_with("reject")) return choose(name, value, arguments);
  if (name == "items" || name == "list" || name == "reverse" || name == "first" || name == "last") {
    return list_filter(name, value);
  }
  if (value.undefined() && name == "tojson") throw Failure{"tojson of an undefined value"};
  if (name == "tojson") {
    return Value::text(json_text(value, static_cast<int>(std::clamp<std::int64_t>(
                                            integer_of(arguments.find(1, "indent"), -1, "tojson"), -1, 64))));
  }
  if (name == "int") return to_integer(value, integer_of(arguments.find(0, "default"), 0, "int"));
  if (name == "abs") return absolute(value);
  if (name == "string") return Value::text(to_text(value));
  if (name == "safe") return value;
  return text_filter(name, to_text(value), arguments);
}

bool apply_test(const std::string& name, const Value& value, const Arguments& arguments) {
  if (name == "odd" || name == "even" || name == "divisibleby") {
    const Value divisor =
        name == "divisibleby" ? required(arguments.find(0, "num"), name) : Value(Value::Content(std::int64_t{2}));
    return truth(binary("%", value, divisor)) == (name == "odd");
  }
  if (!takes_argument(name)) return kind_test(name, value);
  const Value& other = required(arguments.find(0, "other"), name);
  if (name == "in") return truth(binary("in", value, other));
  if (name == "ne") return !equal(value, other);
  if (name == "lt" || name == "gt") return truth(binary(name == "lt" ? "<" : ">", value, other));
  if (name == "sameas" && value.content.index() != other.content.index()) return false;
  return equal(value, other);
}

}  // namespace qzo::tokenizer::chat_template
