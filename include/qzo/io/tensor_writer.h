#pragma once
// Checkpoint files written tensor by tensor, so that a file larger than memory can be made. What is in it is stated
// first, contents follow in any order; the file appears under its name when all are there.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "qzo/core/dtype.h"
#include "qzo/core/json_file.h"
#include "qzo/io/checkpoint.h"

namespace qzo::io {

struct TensorPlan {
  std::string name;
  core::Dtype dtype = core::Dtype::kF32;
  std::vector<std::int64_t> shape;  // slowest dimension first
};

class TensorWriter {
 public:
  virtual ~TensorWriter() = default;
  // Each planned tensor once. EnvironmentError (disk full): the unfinished file is removed when the writer goes.
  virtual void write(const std::string& name, std::span<const std::byte> bytes) = 0;
  // Syncs and puts everything into its place. InternalError if a tensor is missing.
  virtual void commit() = 0;
};

// A safetensors file, wide elements first.
std::unique_ptr<TensorWriter> make_safetensors_writer(const std::filesystem::path& file,
                                                      std::span<const TensorPlan> tensors,
                                                      std::map<std::string, std::string> metadata = {});

// A Hugging Face folder: model.safetensors, config.json as given, `texts` (small files by name), and the files of
// `source` that hold no weights and no quantization settings (tokenizer, templates, licence). `destination` must not
// exist; it is built as ".NAME.partial" beside it. UserError if `destination` lies inside the source.
std::unique_ptr<TensorWriter> make_folder_writer(const Checkpoint& source, const std::filesystem::path& destination,
                                                 std::span<const TensorPlan> tensors, const core::Json& config,
                                                 const std::map<std::string, std::string>& texts = {});

// A GGUF version 3 file with the metadata of the GGUF file `source`, byte for byte, except these u32 values, which
// replace its own or are added. Tensors lie in the order of the plan.
std::unique_ptr<TensorWriter> make_gguf_writer(const Checkpoint& source, const std::filesystem::path& destination,
                                               std::span<const TensorPlan> tensors,
                                               const std::map<std::string, std::uint32_t>& replaced);

}  // namespace qzo::io
