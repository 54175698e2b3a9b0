#pragma once
// Values of a template, with Python's meaning of truth, equality and text.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "qzo/tokenizer/chat_template.h"

namespace qzo::tokenizer::chat_template {

struct Value;
struct Statement;

struct Undefined {
  std::string name;  // for messages
};
struct None {};
using List = std::vector<Value>;
using Dict = std::vector<std::pair<std::string, Value>>;  // in order of insertion
// The only thing a template can change in place.
struct Namespace {
  Dict members;
};
// `owner.name` not called yet, or the global function `name` (owner null).
struct Function {
  std::string name;
  std::shared_ptr<const Value> owner;
};
struct Macro {
  const Statement* statement = nullptr;
};

struct Value {
  using Content = std::variant<Undefined, None, bool, std::int64_t, double, std::string, std::shared_ptr<const List>,
                               std::shared_ptr<const Dict>, std::shared_ptr<Namespace>, Function, Macro>;
  Content content;

  Value() : content(None{}) {}
  Value(Content value) : content(std::move(value)) {}  // NOLINT: values are written as what they hold
  static Value list(List items) { return {std::make_shared<const List>(std::move(items))}; }
  static Value dict(Dict members) { return {std::make_shared<const Dict>(std::move(members))}; }
  static Value text(std::string text) { return {Content(std::move(text))}; }

  // Null if of another kind.
  template <class Kind>
  [[nodiscard]] const Kind* as() const {
    return std::get_if<Kind>(&content);
  }
  [[nodiscard]] bool undefined() const { return as<Undefined>() != nullptr; }
  [[nodiscard]] bool none() const { return as<None>() != nullptr; }
  [[nodiscard]] const std::string* text() const { return as<std::string>(); }
  [[nodiscard]] const List* list() const;
  [[nodiscard]] const Dict* dict() const;
};

const Value* find(const Dict& dict, const std::string& key);
bool truth(const Value& value);
bool equal(const Value& left, const Value& right);
const char* kind_name(const Value& value);

// str() and repr() of Python; `json_text`: json.dumps(value, ensure_ascii=False, indent=indent), indent < 0: one line.
std::string to_text(const Value& value);
std::string json_text(const Value& value, int indent);
Value from_json(const ChatVariables& json);

// Characters of a text, which indices, slices and lengths count.
std::vector<std::string> characters(const std::string& text);

}  // namespace qzo::tokenizer::chat_template
