#pragma once
// Reading quantization settings by key.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/core/json_file.h"
#include "qzo/core/text.h"
#include "qzo/io/checkpoint.h"

namespace qzo::quant {

// Typed access to the merged settings; `file` begins every message. Both must outlive it. UserError naming file and key
// for a value of a wrong type.
class Settings {
 public:
  Settings(const core::Json& values, const std::string& file) : values_(values), file_(file) {}

  // The first of several spellings that is there and not null.
  const core::Json* find(std::initializer_list<std::string_view> keys, std::string_view* used = nullptr) const {
    for (const std::string_view key : keys) {
      const auto value = values_.find(key);
      if (value == values_.end() || value->is_null()) continue;
      if (used != nullptr) *used = key;
      return &*value;
    }
    return nullptr;
  }

  std::int64_t integer(std::initializer_list<std::string_view> keys) const {
    std::string_view key = *keys.begin();
    const core::Json* value = find(keys, &key);
    if (value == nullptr) fail(key, "is missing", "an integer");
    const bool too_large =
        value->is_number_unsigned() && value->get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max();
    if (!value->is_number_integer() || too_large) fail(key, core::text("is ", value->dump()), "an integer");
    return value->get<std::int64_t>();
  }

  std::optional<std::string> string(std::initializer_list<std::string_view> keys) const {
    std::string_view key;
    const core::Json* value = find(keys, &key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) fail(key, core::text("is ", value->dump()), "a string");
    return value->get<std::string>();
  }

  std::optional<bool> boolean(std::string_view key) const {
    const core::Json* value = find({key});
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) fail(key, core::text("is ", value->dump()), "true or false");
    return value->get<bool>();
  }

  // Weights that share a scale, or -1: all of a row.
  std::int64_t group_size() const {
    const std::int64_t size = integer({"group_size", "q_group_size"});
    if (size != -1 && size <= 0) {
      fail("group_size", core::text("is ", size), "a positive number, or -1 for one group");
    }
    return size;
  }

  [[noreturn]] void fail(std::string_view key, const std::string& found, std::string_view expected) const {
    throw core::UserError(core::text(file_, ": ", key, ' ', found, ", expected ", expected));
  }
  [[noreturn]] void refuse(std::string_view key, const std::string& value, std::string_view supported) const {
    throw core::UserError(core::text(file_, ": ", key, ' ', value, " is not supported yet; supported: ", supported));
  }

 private:
  const core::Json& values_;
  const std::string& file_;
};

// Whether some tensor's name ends so.
inline bool has_tensor_ending(const io::Checkpoint& checkpoint, std::string_view ending) {
  return std::ranges::any_of(checkpoint.tensors.entries(),
                             [&](const io::TensorEntry& entry) { return entry.name.ends_with(ending); });
}

}  // namespace qzo::quant
