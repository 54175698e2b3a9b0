#pragma once
// A checkpoint on disk: a GGUF file, or a Hugging Face folder (config.json, safetensors single or sharded with index).

#include <filesystem>
#include <string>
#include <vector>

#include "qzo/core/json_file.h"
#include "qzo/io/gguf.h"
#include "qzo/io/tensor_source.h"

namespace qzo::io {

enum class CheckpointKind { kGguf, kHuggingFace };

struct Checkpoint {
  std::filesystem::path root;  // the .gguf file or the folder
  CheckpointKind kind = CheckpointKind::kHuggingFace;
  TensorSource tensors;
  GgufMetadata metadata;              // GGUF only
  core::Json config;                  // Hugging Face: config.json
  core::Json quantization;            // merged quantization settings; null if none
  std::string quantization_file;      // which file they came from
  std::vector<std::filesystem::path> files;  // every file that belongs to it, relative to root's folder, sorted
};

// Detects by content (docs: GGUF magic, folder with config.json). UserError for anything else, absent shards, conflicting
// quantization files, unknown quant_method.
Checkpoint open_checkpoint(const std::filesystem::path& path);

// XXH3-64 over the names and bytes of all tensor files: the identity that journals and trajectories carry.
std::uint64_t checkpoint_hash(const Checkpoint& checkpoint);

}  // namespace qzo::io
