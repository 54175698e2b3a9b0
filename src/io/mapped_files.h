#pragma once
#include <algorithm>
#include <filesystem>

#include "qzo/io/tensor_source.h"

namespace qzo::io {

// The mapping of one of the tensor files; null for any other path.
inline const core::MappedFile* find_mapped(const TensorSource& tensors, const std::filesystem::path& path) {
  const auto position = std::ranges::find(tensors.files(), path, &core::MappedFile::path);
  return position == tensors.files().end() ? nullptr : &*position;
}

}  // namespace qzo::io
