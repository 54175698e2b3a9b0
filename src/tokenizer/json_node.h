#pragma once
// A place in a JSON file, for typed access whose errors name file and place.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qzo/core/json_file.h"

namespace qzo::tokenizer {

// Points into a document that must outlive it.
class JsonNode {
 public:
  JsonNode(const core::Json& value, std::string file) : value_(&value), file_(std::move(file)) {}

  // "tokenizer.json: <sentence>" and "tokenizer.json: pre_tokenizer.pattern: <sentence>" as UserError.
  [[noreturn]] void fail(const std::string& sentence) const;

  // The member; absent and null are the same. UserError if this is not an object.
  [[nodiscard]] std::optional<JsonNode> find(const std::string& key) const;
  [[nodiscard]] JsonNode at(const std::string& key) const;  // UserError if absent

  // UserError if of another kind.
  [[nodiscard]] const std::string& string() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::int64_t integer() const;
  [[nodiscard]] std::vector<JsonNode> items() const;
  [[nodiscard]] const core::Json::object_t& object() const;

  // Members with a default for absent ones.
  [[nodiscard]] bool boolean(const std::string& key, bool otherwise) const;
  [[nodiscard]] std::string string(const std::string& key, const std::string& otherwise) const;

  [[nodiscard]] const core::Json& value() const { return *value_; }
  [[nodiscard]] std::string where() const;  // "tokenizer.json: pre_tokenizer.pattern"

 private:
  JsonNode(const core::Json& value, std::string file, std::string path)
      : value_(&value), file_(std::move(file)), path_(std::move(path)) {}
  [[nodiscard]] JsonNode child(const core::Json& value, const std::string& step) const;
  [[noreturn]] void wrong_kind(const char* expected) const;

  const core::Json* value_;
  std::string file_;
  std::string path_;
};

}  // namespace qzo::tokenizer
