#include "tokenizer/json_node.h"

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::tokenizer {

std::string JsonNode::where() const { return path_.empty() ? file_ : file_ + ": " + path_; }

void JsonNode::fail(const std::string& sentence) const { throw core::UserError(where() + ": " + sentence); }

void JsonNode::wrong_kind(const char* expected) const {
  fail(core::text("expected ", expected, ", found ", value_->type_name(),
                  value_->is_structured() ? "" : " " + core::quoted(value_->dump())));
}

JsonNode JsonNode::child(const core::Json& value, const std::string& step) const {
  return {value, file_, path_.empty() || step.front() == '[' ? path_ + step : path_ + "." + step};
}

std::optional<JsonNode> JsonNode::find(const std::string& key) const {
  const core::Json::object_t& members = object();
  const auto found = members.find(key);
  if (found == members.end() || found->second.is_null()) return std::nullopt;
  return child(found->second, key);
}

JsonNode JsonNode::at(const std::string& key) const {
  if (auto found = find(key)) return *std::move(found);
  fail("the member " + core::quoted(key) + " is missing");
}

const std::string& JsonNode::string() const {
  if (!value_->is_string()) wrong_kind("a string");
  return value_->get_ref<const std::string&>();
}

bool JsonNode::boolean() const {
  if (!value_->is_boolean()) wrong_kind("true or false");
  return value_->get<bool>();
}

std::int64_t JsonNode::integer() const {
  if (!value_->is_number_integer()) wrong_kind("an integer");
  return value_->get<std::int64_t>();
}

std::vector<JsonNode> JsonNode::items() const {
  if (!value_->is_array()) wrong_kind("a list");
  std::vector<JsonNode> out;
  out.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i) out.push_back(child((*value_)[i], core::text("[", i, "]")));
  return out;
}

const core::Json::object_t& JsonNode::object() const {
  if (!value_->is_object()) wrong_kind("an object");
  return value_->get_ref<const core::Json::object_t&>();
}

bool JsonNode::boolean(const std::string& key, bool otherwise) const {
  const auto found = find(key);
  return found ? found->boolean() : otherwise;
}

std::string JsonNode::string(const std::string& key, const std::string& otherwise) const {
  const auto found = find(key);
  return found ? found->string() : otherwise;
}

}  // namespace qzo::tokenizer
