#include "qzo/core/text.h"

#include "tokenizer/chat_template/builtins.h"
#include "tokenizer/chat_template/text_methods.h"

namespace qzo::tokenizer::chat_template {

namespace {

bool is_dict_method(std::string_view name) {
  return name == "items" || name == "keys" || name == "values" || name == "get";
}

Value call_dict_method(const Dict& dict, const std::string& name, const Arguments& arguments) {
  if (name == "get") {
    const Value* key = arguments.find(0, "key");
    const Value* otherwise = arguments.find(1, "default");
    const Value* found = key == nullptr || key->text() == nullptr ? nullptr : find(dict, *key->text());
    if (found != nullptr) return *found;
    return otherwise == nullptr ? Value() : *otherwise;
  }
  List out;
  for (const auto& [key, value] : dict) {
    if (name == "keys") out.push_back(Value::text(key));
    if (name == "values") out.push_back(value);
    if (name == "items") out.push_back(Value::list({Value::text(key), value}));
  }
  return Value::list(std::move(out));
}

}  // namespace

void check_nesting(const Value& value, int levels) {
  if (levels == 0) throw Failure{core::text("values nested deeper than ", kDeepestValue, " levels")};
  if (value.as<std::shared_ptr<Namespace>>() != nullptr) {
    throw Failure{"a namespace inside of another value is not implemented"};
  }
  if (const List* list = value.list()) {
    for (const Value& item : *list) check_nesting(item, levels - 1);
  }
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, member] : *dict) check_nesting(member, levels - 1);
  }
}

bool is_method(const Value& owner, std::string_view name) {
  return (owner.text() != nullptr && is_text_method(name)) || (owner.dict() != nullptr && is_dict_method(name));
}

Value call_method(const Value& owner, const std::string& name, const Arguments& arguments) {
  if (owner.text() != nullptr && is_text_method(name)) return call_text_method(*owner.text(), name, arguments);
  if (owner.dict() != nullptr && is_dict_method(name)) return call_dict_method(*owner.dict(), name, arguments);
  throw Failure{core::text("the method ", core::quoted(name), " of ", kind_name(owner), " is not implemented")};
}

}  // namespace qzo::tokenizer::chat_template
