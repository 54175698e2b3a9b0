#pragma once
// safetensors: u64 header length, JSON header, data (huggingface/safetensors, README "Format").

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "qzo/io/tensor_source.h"

namespace qzo::io {

// Maps `file`, checks all of it (header bounds, dtypes, shapes, offsets without hole or overlap) and adds its tensors
// to `source`. UserError naming file and tensor. Returns `__metadata__`.
std::map<std::string, std::string> read_safetensors(const std::filesystem::path& file, TensorSource& source);

// The checks alone, on bytes (fuzzing). `name` stands for the file in messages.
std::vector<TensorEntry> parse_safetensors(std::span<const std::byte> bytes, const std::string& name,
                                           std::map<std::string, std::string>* metadata = nullptr);

struct TensorToWrite {
  std::string name;
  core::Dtype dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// Atomic (temporary, fsync, rename); metadata always carries format = pt.
void write_safetensors(const std::filesystem::path& file, std::span<const TensorToWrite> tensors,
                       std::map<std::string, std::string> metadata = {});

}  // namespace qzo::io
