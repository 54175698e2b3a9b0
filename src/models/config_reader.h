#pragma once
// A model's configuration under either spelling: config.json of a Hugging Face folder, or GGUF metadata. Every refusal
// names file and key.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qzo/io/checkpoint.h"

namespace qzo::models {

// The names of one setting; null where the format has no such setting.
struct Key {
  const char* hf = nullptr;
  const char* gguf = nullptr;  // behind "ARCHITECTURE."
};

class ConfigReader {
 public:
  // `checkpoint` must outlive it. `architecture`: prefix of GGUF keys.
  ConfigReader(const io::Checkpoint& checkpoint, std::string architecture);
  // The same file, but the keys of an object inside ("rope_scaling").
  [[nodiscard]] std::optional<ConfigReader> section(const char* hf) const;
  // An object without keys.
  [[nodiscard]] ConfigReader empty_section() const;

  // A count or width: 1 to 2^24, so that products of two cannot overflow.
  [[nodiscard]] std::int64_t dimension(Key key) const;
  [[nodiscard]] std::optional<std::int64_t> find_dimension(Key key) const;
  // 0 to 2^24.
  [[nodiscard]] std::optional<std::int64_t> find_count(Key key) const;
  // Finite and above 0.
  [[nodiscard]] double positive(Key key) const;
  [[nodiscard]] std::optional<double> find_positive(Key key) const;
  [[nodiscard]] std::optional<bool> find_flag(Key key) const;
  [[nodiscard]] std::optional<std::string> find_string(Key key) const;
  // Hugging Face only.
  [[nodiscard]] std::optional<std::vector<std::string>> find_strings(Key key) const;
  // Each finite and above 0. Hugging Face only.
  [[nodiscard]] std::vector<float> positives(Key key) const;

  [[nodiscard]] bool gguf() const { return values_ == nullptr; }
  [[nodiscard]] const std::string& file() const { return file_; }
  // Whether config.json says null, which is another thing than saying nothing where a family has a default.
  [[nodiscard]] bool is_null(Key key) const;
  // As the file spells it.
  [[nodiscard]] std::string name(Key key) const;
  // UserError "FILE: KEY FOUND, expected EXPECTED".
  [[noreturn]] void fail(Key key, const std::string& found, const std::string& expected) const;
  // UserError "FILE: KEY VALUE is not supported; supported: SUPPORTED".
  [[noreturn]] void refuse(Key key, const std::string& value, const std::string& supported) const;

 private:
  [[nodiscard]] const core::Json* find_json(Key key) const;
  [[nodiscard]] std::optional<std::int64_t> find_integer(Key key, std::int64_t lowest) const;

  const io::GgufMetadata* metadata_;
  const core::Json* values_;  // null: GGUF
  std::string file_;
  std::string prefix_;
};

}  // namespace qzo::models
