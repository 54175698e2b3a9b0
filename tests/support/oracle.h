#pragma once
// Golden cases outside of the repository, and their tensors.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/io/safetensors.h"
#include "qzo/io/tensor_source.h"

#include "support/paths.h"

namespace qzo::tests {

// Sub-folders of a section ("quant"), sorted; none if it is absent.
inline std::vector<std::filesystem::path> oracle_cases(const std::string& section) {
  std::vector<std::filesystem::path> cases;
  const std::filesystem::path folder = oracles() / section;
  if (!std::filesystem::is_directory(folder)) return cases;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory()) cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

// One safetensors file of expected values.
class OracleTensors {
 public:
  explicit OracleTensors(const std::filesystem::path& file) { io::read_safetensors(file, source_); }

  const std::vector<io::TensorEntry>& entries() const { return source_.entries(); }
  bool has(const std::string& name) const { return source_.find(name) != nullptr; }
  const io::TensorEntry& entry(const std::string& name) const {
    const io::TensorEntry* found = source_.find(name);
    if (found == nullptr) throw core::UserError(source_.where() + " has no tensor " + name);
    return *found;
  }
  std::vector<float> floats(const std::string& name) const { return io::read_floats(entry(name)); }
  std::vector<std::int64_t> integers(const std::string& name) const {
    const io::TensorEntry& found = entry(name);
    if (found.dtype != core::Dtype::kI64) throw core::UserError(name + " is not I64");
    std::vector<std::int64_t> values(found.bytes.size() / sizeof(std::int64_t));
    std::memcpy(values.data(), found.bytes.data(), found.bytes.size());
    return values;
  }

 private:
  io::TensorSource source_;
};

}  // namespace qzo::tests
