#pragma once
// GGUF versions 2 and 3, little-endian (ggml docs/gguf.md). Metadata and tensor table, every count, length and offset
// checked against the file before it is used.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "qzo/io/tensor_source.h"

namespace qzo::io {

// Scalars: integers of every width become i64 (u64 only above 2^63 - 1), floats double. Arrays: integers and booleans
// i64, floats double. Strings are arbitrary bytes.
using GgufValue = std::variant<std::int64_t, std::uint64_t, double, bool, std::string, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<std::string>>;

// Key-value pairs with typed access. `file` names the file in errors.
class GgufMetadata {
 public:
  std::string file;
  std::map<std::string, GgufValue> values;

  [[nodiscard]] bool has(const std::string& key) const { return values.contains(key); }
  // UserError naming file and key if absent or of another kind. A number may be stored as an integer.
  [[nodiscard]] std::int64_t integer(const std::string& key) const;
  [[nodiscard]] double number(const std::string& key) const;
  [[nodiscard]] const std::string& string(const std::string& key) const;
  // nullopt or null only if absent; UserError if of another kind.
  [[nodiscard]] std::optional<std::int64_t> find_integer(const std::string& key) const;
  [[nodiscard]] std::optional<double> find_number(const std::string& key) const;
  [[nodiscard]] std::optional<bool> find_bool(const std::string& key) const;
  [[nodiscard]] const std::string* find_string(const std::string& key) const;
  [[nodiscard]] const std::vector<std::string>* find_strings(const std::string& key) const;
  [[nodiscard]] const std::vector<std::int64_t>* find_integers(const std::string& key) const;
  [[nodiscard]] const std::vector<double>* find_numbers(const std::string& key) const;
};

// Maps `file`, checks it and adds its tensors to `source`, sorted by offset. UserError naming file and key or tensor:
// other versions, big-endian files, cut-off or inconsistent tables, element types outside core::Dtype. A file without
// tensors (a vocabulary) is valid.
GgufMetadata read_gguf(const std::filesystem::path& file, TensorSource& source);

// The checks alone, on bytes (fuzzing). `name` stands for the file in messages. Appends to `tensors`.
GgufMetadata parse_gguf(std::span<const std::byte> bytes, const std::string& name, std::vector<TensorEntry>& tensors);

}  // namespace qzo::io
