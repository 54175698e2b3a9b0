#include "models/config_reader.h"

#include <cmath>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::models {
namespace {

constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24;

}  // namespace

ConfigReader::ConfigReader(const io::Checkpoint& checkpoint, std::string architecture)
    : metadata_(&checkpoint.metadata), values_(nullptr), file_(checkpoint.root.string()) {
  if (checkpoint.kind == io::CheckpointKind::kGguf) {
    prefix_ = std::move(architecture) + ".";
  } else {
    values_ = &checkpoint.config;
    file_ = (checkpoint.root / "config.json").string();
  }
}

std::optional<ConfigReader> ConfigReader::section(const char* hf) const {
  const Key key{hf, nullptr};
  const core::Json* value = find_json(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) fail(key, core::text("is ", core::quoted(value->dump())), "an object");
  ConfigReader inner = *this;
  inner.values_ = value;
  inner.prefix_ = prefix_ + hf + ".";
  return inner;
}

ConfigReader ConfigReader::empty_section() const {
  static const core::Json kEmpty = core::Json::object();
  ConfigReader inner = *this;
  inner.values_ = &kEmpty;
  return inner;
}

const core::Json* ConfigReader::find_json(Key key) const {
  if (values_ == nullptr || key.hf == nullptr) return nullptr;
  const auto value = values_->find(key.hf);
  return value == values_->end() || value->is_null() ? nullptr : &*value;
}

bool ConfigReader::is_null(Key key) const {
  if (values_ == nullptr || key.hf == nullptr) return false;
  const auto value = values_->find(key.hf);
  return value != values_->end() && value->is_null();
}

std::string ConfigReader::name(Key key) const {
  const char* own = gguf() ? key.gguf : key.hf;
  return prefix_ + (own == nullptr ? "" : own);
}

void ConfigReader::fail(Key key, const std::string& found, const std::string& expected) const {
  throw core::UserError(core::text(file_, ": ", name(key), ' ', found, ", expected ", expected));
}

void ConfigReader::refuse(Key key, const std::string& value, const std::string& supported) const {
  throw core::UserError(core::text(file_, ": ", name(key), ' ', value, " is not supported; supported: ", supported));
}

std::optional<std::int64_t> ConfigReader::find_dimension(Key key) const { return find_integer(key, 1); }

std::optional<std::int64_t> ConfigReader::find_count(Key key) const { return find_integer(key, 0); }

std::optional<std::int64_t> ConfigReader::find_integer(Key key, std::int64_t lowest) const {
  const std::string expected = core::text("an integer from ", lowest, " to ", kMaxDimension);
  std::optional<std::int64_t> found;
  if (gguf()) {
    if (key.gguf != nullptr) found = metadata_->find_integer(name(key));
  } else if (const core::Json* value = find_json(key)) {
    // As a signed number, one above 2^63 would be negative.
    const bool fits =
        value->is_number_integer() && (!value->is_number_unsigned() || value->get<std::uint64_t>() <= kMaxDimension);
    if (!fits) fail(key, core::text("is ", core::quoted(value->dump())), expected);
    found = value->get<std::int64_t>();
  }
  if (found && (*found < lowest || *found > kMaxDimension)) fail(key, core::text("is ", *found), expected);
  return found;
}

std::int64_t ConfigReader::dimension(Key key) const {
  const std::optional<std::int64_t> found = find_dimension(key);
  if (!found) fail(key, "is missing", "a positive integer");
  return *found;
}

std::optional<double> ConfigReader::find_positive(Key key) const {
  std::optional<double> found;
  if (gguf()) {
    if (key.gguf != nullptr) found = metadata_->find_number(name(key));
  } else if (const core::Json* value = find_json(key)) {
    if (!value->is_number()) fail(key, core::text("is ", core::quoted(value->dump())), "a number above 0");
    found = value->get<double>();
  }
  if (found && !(std::isfinite(*found) && *found > 0)) fail(key, core::text("is ", *found), "a number above 0");
  return found;
}

double ConfigReader::positive(Key key) const {
  const std::optional<double> found = find_positive(key);
  if (!found) fail(key, "is missing", "a number above 0");
  return *found;
}

std::optional<bool> ConfigReader::find_flag(Key key) const {
  if (gguf()) return key.gguf == nullptr ? std::nullopt : metadata_->find_bool(name(key));
  const core::Json* value = find_json(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail(key, core::text("is ", core::quoted(value->dump())), "true or false");
  return value->get<bool>();
}

std::optional<std::string> ConfigReader::find_string(Key key) const {
  if (gguf()) {
    const std::string* text = key.gguf == nullptr ? nullptr : metadata_->find_string(name(key));
    return text == nullptr ? std::nullopt : std::optional(*text);
  }
  const core::Json* value = find_json(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) fail(key, core::text("is ", core::quoted(value->dump())), "a string");
  return value->get<std::string>();
}

std::optional<std::vector<std::string>> ConfigReader::find_strings(Key key) const {
  const core::Json* value = find_json(key);
  if (value == nullptr) return std::nullopt;
  std::vector<std::string> strings;
  if (!value->is_array()) fail(key, core::text("is ", core::quoted(value->dump())), "a list of strings");
  for (const core::Json& item : *value) {
    if (!item.is_string()) fail(key, core::text("holds ", core::quoted(item.dump())), "strings");
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

std::vector<float> ConfigReader::positives(Key key) const {
  const core::Json* value = find_json(key);
  if (value == nullptr) fail(key, "is missing", "a list of numbers above 0");
  if (!value->is_array()) fail(key, core::text("is ", core::quoted(value->dump())), "a list of numbers above 0");
  std::vector<float> numbers;
  for (const core::Json& item : *value) {
    const auto number = item.is_number() ? item.get<float>() : 0.0F;
    if (!(std::isfinite(number) && number > 0)) fail(key, core::text("holds ", item.dump()), "numbers above 0");
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace qzo::models
