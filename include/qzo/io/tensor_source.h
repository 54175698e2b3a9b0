#pragma once
// Named tensors of a checkpoint, mapped, whatever file format they stand in. Readers fill it after checking every
// offset; models and quant read weights through it and never see a file format.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "qzo/core/dtype.h"
#include "qzo/core/fs.h"

namespace qzo::io {

struct TensorEntry {
  std::string name;
  core::Dtype dtype = core::Dtype::kF32;
  std::vector<std::int64_t> shape;   // slowest dimension first ([out, in] for a GGUF matrix too)
  std::span<const std::byte> bytes;  // into the mapped file; not necessarily aligned for dtype
  std::size_t file = 0;              // index into TensorSource::files()
  std::uint64_t offset = 0;          // of the first byte, from the start of that file
};

class TensorSource {
 public:
  // Adds a mapped file, returns its index. Entries may point into it for the lifetime of this object.
  std::size_t add_file(core::MappedFile file);
  // The same with the file's tensors.
  void add_file(core::MappedFile file, std::vector<TensorEntry> entries);
  // UserError if the name is already present (both files are named).
  void add(TensorEntry entry);

  [[nodiscard]] const std::vector<core::MappedFile>& files() const { return files_; }
  [[nodiscard]] const std::vector<TensorEntry>& entries() const { return entries_; }  // in file order
  [[nodiscard]] const TensorEntry* find(std::string_view name) const;                 // null if absent

  // The tensor a model needs: UserError naming file, tensor, expected and found if absent, of another dtype or shape.
  [[nodiscard]] const TensorEntry& require(std::string_view name, std::initializer_list<core::Dtype> dtypes,
                                           std::span<const std::int64_t> shape) const;
  // "model.safetensors" or, with several files, the folder: for messages about a tensor that is not there.
  [[nodiscard]] std::string where() const;
  // "FILE: tensor "NAME"": for messages about a tensor that is there.
  [[nodiscard]] std::string describe(const TensorEntry& entry) const;

 private:
  std::vector<core::MappedFile> files_;
  std::vector<TensorEntry> entries_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

// Plain float tensor (F32, F16, BF16) as fp32, row-major.
std::vector<float> read_floats(const TensorEntry& entry);

}  // namespace qzo::io
