#pragma once
// A checkpoint of a published model's shape with random weights, in anonymous memory: to measure steps of models that
// are not there.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qzo/io/checkpoint.h"

namespace qzo::cli {

std::vector<std::string> synthetic_shapes();
std::vector<std::string> synthetic_formats();

// Names and shapes of the weights of a dense model of this shape; nothing is allocated.
std::vector<std::pair<std::string, std::vector<std::int64_t>>> synthetic_weights(const std::string& shape);

// `shape` and `format` as listed by the functions above; `group` is the group size of format "gptq". Embedding and head
// are F16. Weights are scaled so that activations keep their size from layer to layer. EnvironmentError if the memory
// is not there.
std::unique_ptr<io::Checkpoint> synthetic_checkpoint(const std::string& shape, const std::string& format,
                                                     std::int64_t group);

}  // namespace qzo::cli
