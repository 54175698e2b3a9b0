#include <limits>
#include <type_traits>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/io/gguf.h"

namespace qzo::io {
namespace {

std::string kind_of(const GgufValue& value) {
  struct Name {
    std::string operator()(std::int64_t v) const { return core::text("the integer ", v); }
    std::string operator()(std::uint64_t v) const { return core::text("the integer ", v); }
    std::string operator()(double v) const { return core::text("the number ", v); }
    std::string operator()(bool v) const { return v ? "the boolean true" : "the boolean false"; }
    std::string operator()(const std::string& v) const { return "the string " + core::quoted(v); }
    std::string operator()(const std::vector<std::int64_t>&) const { return "an array of integers"; }
    std::string operator()(const std::vector<double>&) const { return "an array of numbers"; }
    std::string operator()(const std::vector<std::string>&) const { return "an array of strings"; }
  };
  return std::visit(Name{}, value);
}

[[noreturn]] void fail_missing(const GgufMetadata& metadata, const std::string& key, const char* expected) {
  throw core::UserError(core::text(metadata.file, ": metadata key ", key, " is missing, expected ", expected));
}

[[noreturn]] void fail_kind(const GgufMetadata& metadata, const std::string& key, const GgufValue& value,
                            const char* expected) {
  throw core::UserError(
      core::text(metadata.file, ": metadata key ", key, " is ", kind_of(value), ", expected ", expected));
}

const GgufValue* find_value(const GgufMetadata& metadata, const std::string& key) {
  const auto position = metadata.values.find(key);
  return position == metadata.values.end() ? nullptr : &position->second;
}

// Null if absent; UserError if of another kind.
template <class Kind>
const Kind* find_kind(const GgufMetadata& metadata, const std::string& key, const char* expected) {
  const GgufValue* value = find_value(metadata, key);
  if (value == nullptr) return nullptr;
  const Kind* kind = std::get_if<Kind>(value);
  if (kind == nullptr) fail_kind(metadata, key, *value, expected);
  return kind;
}

}  // namespace

std::optional<std::int64_t> GgufMetadata::find_integer(const std::string& key) const {
  const auto* value = find_kind<std::int64_t>(*this, key, "an integer from -2^63 to 2^63 - 1");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<double> GgufMetadata::find_number(const std::string& key) const {
  const GgufValue* value = find_value(*this, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<double>(value)) return *number;
  if (const auto* integer = std::get_if<std::int64_t>(value)) return static_cast<double>(*integer);
  fail_kind(*this, key, *value, "a number");
}

std::optional<bool> GgufMetadata::find_bool(const std::string& key) const {
  const auto* value = find_kind<bool>(*this, key, "a boolean");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

const std::string* GgufMetadata::find_string(const std::string& key) const {
  return find_kind<std::string>(*this, key, "a string");
}

const std::vector<std::string>* GgufMetadata::find_strings(const std::string& key) const {
  return find_kind<std::vector<std::string>>(*this, key, "an array of strings");
}

const std::vector<std::int64_t>* GgufMetadata::find_integers(const std::string& key) const {
  return find_kind<std::vector<std::int64_t>>(*this, key, "an array of integers");
}

const std::vector<double>* GgufMetadata::find_numbers(const std::string& key) const {
  return find_kind<std::vector<double>>(*this, key, "an array of numbers");
}

std::int64_t GgufMetadata::integer(const std::string& key) const {
  const auto value = find_integer(key);
  if (!value) fail_missing(*this, key, "an integer");
  return *value;
}

double GgufMetadata::number(const std::string& key) const {
  const auto value = find_number(key);
  if (!value) fail_missing(*this, key, "a number");
  return *value;
}

const std::string& GgufMetadata::string(const std::string& key) const {
  const std::string* value = find_string(key);
  if (value == nullptr) fail_missing(*this, key, "a string");
  return *value;
}

}  // namespace qzo::io
