#pragma once
// Which files of a Hugging Face folder hold its weights.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "qzo/io/tensor_source.h"

namespace qzo::io {

struct WeightFiles {
  std::vector<std::filesystem::path> files;    // sorted, all present
  std::filesystem::path index;                 // empty if there is none
  std::map<std::string, std::string> weights;  // tensor -> file name, as the index says
};

// model.safetensors.index.json with its shards, or model.safetensors, or the only *.safetensors file. UserError, before
// any weight is opened, for absent shards, several files without an index, or weights in PyTorch's pickle format.
WeightFiles find_weight_files(const std::filesystem::path& folder);

// UserError if the index lists a tensor that its file does not hold; a missing lm_head.weight is allowed (a tied head
// is not stored, though some indices name it) and logged.
void check_index(const WeightFiles& weights, const TensorSource& tensors);

// Every file of the folder and its sub-folders, relative, sorted. Links are followed; hidden sub-folders (.git, .cache:
// bookkeeping of whoever fetched the model) are left out.
std::vector<std::filesystem::path> list_files(const std::filesystem::path& folder);

}  // namespace qzo::io
