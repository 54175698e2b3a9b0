#pragma once
// A linear layer whose scales may be probed. Shapes: R rows (two signs stacked: plus rows are the first half).

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/ops/linear.h"
#include "qzo/ops/precision.h"
#include "qzo/quant/packed_weight.h"

namespace qzo::nn {

// What LoRA (arXiv 2106.09685) adds to a product: y += scale (x A^T) B^T. Views of dense matrices, not owned.
struct Adapter {
  kernels::CodeView a;  // [rank, in]
  kernels::CodeView b;  // [out, rank]
  float scale = 1;
};

struct Linear {
  quant::PackedWeight weight;
  std::vector<float> bias;  // [out], or empty
  std::optional<Adapter> adapter = {};
};

// One walk through a model: which scales it sees, and the scratch that its layers share one after the other.
struct Walk {
  quant::ScaleMode scales;
  ops::Precision precision = ops::Precision::kFp32;
  std::int64_t signs = 1;  // 2: both signs of the probe in one walk
  quant::ScaleBuffers& buffers;
};

// x [R, in] -> [R, out].
at::Tensor apply(const Linear& layer, const ops::LinearInput& x, const Walk& walk);

}  // namespace qzo::nn
