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
  GgufMetadata metadata;          // GGUF only
  core::Json config;              // Hugging Face: config.json
  core::Json quantization;        // merged quantization settings; null if none. Not judged here: quant does that
  std::string quantization_file;  // the file whose values win, for messages
  // Every file that belongs to it, relative to the folder, sorted: the .gguf alone, or all regular files of the folder
  // and its sub-folders (links followed, hidden sub-folders left out).
  std::vector<std::filesystem::path> files;
};

// Detects by content: a file that begins with GGUF, a folder with config.json. UserError naming the file for anything
// else (diffusion pipelines, adapters, pickles, lone safetensors files, parts of a split GGUF), absent shards, an index
// that does not match its files, conflicting quantization files and whatever the readers of the file formats refuse.
Checkpoint open_checkpoint(const std::filesystem::path& path);

// XXH3-64 over the file names (without folders) and bytes of all tensor files: the identity that journals and
// trajectories carry. Equal for a copy at another place.
std::uint64_t checkpoint_hash(const Checkpoint& checkpoint);

}  // namespace qzo::io
