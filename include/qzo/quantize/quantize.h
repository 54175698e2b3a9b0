#pragma once
// A dense model into a quantized checkpoint, layer by layer. Only the linears of the decoder layers are quantized:
// embedding, head, norms and biases are copied as they are. In memory at a time: one weight in fp32, and with
// calibration the hidden states of all samples and the hessian of one layer's inputs.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "qzo/io/checkpoint.h"
#include "qzo/models/causal_lm.h"
#include "qzo/quantize/target.h"

namespace qzo::quantize {

struct Progress {
  std::int64_t done = 0, total = 0;  // weights
  std::string weight;                // the one begun now; empty when all are done
};

struct Options {
  // Token sequences that show what enters the layers; empty: round to nearest. Every layer sees what the quantized
  // layers before it make of them.
  std::vector<std::vector<std::int32_t>> samples;
  // How many tokens the first one of each sample counts for, at least 1. All later tokens of a sample attend to it, in
  // most layers more than to any other (attention sink, arXiv 2309.17453): as one of hundreds its error would be
  // traded for theirs, and comes back in each of them.
  double first_token = 1;
  // Take the dequantized weights of a quantized source for dense ones. Otherwise such a source is a UserError.
  bool requantize = false;
  std::function<void(const Progress&)> progress = {};
};

struct Report {
  std::int64_t weights = 0, parameters = 0;   // quantized
  std::uint64_t source_bytes = 0, bytes = 0;  // of these weights' tensors
  double weight_error = 0;                    // |W - Q|^2 / |W|^2 over all of them
  double output_error = 0;                    // with calibration: mean of relative_error over weights
};

// `model`: loaded from `source`. `destination` must not exist; it is complete or absent afterwards. UserError naming
// the weight for what cannot be quantized; EnvironmentError (disk full).
Report quantize(const io::Checkpoint& source, models::CausalLm& model, const Target& target, const Options& options,
                const std::filesystem::path& destination);

}  // namespace qzo::quantize
