#pragma once
// Normalisation of rows with a learned weight. C width.

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace qzo::nn {

enum class NormKind : std::uint8_t {
  kRms,    // x / sqrt(mean(x^2) + eps) * weight
  kLayer,  // (x - mean(x)) / sqrt(var(x) + eps) * weight + bias
};

struct Norm {
  NormKind kind = NormKind::kRms;
  float eps = 0;
  std::vector<float> weight = {};  // [C]
  std::vector<float> bias = {};    // kLayer: [C], or empty
};

// x [R, n C] -> the same shape: every stretch of C elements is normalised by itself (heads of a row, or whole rows).
at::Tensor apply(const Norm& norm, const at::Tensor& x);

}  // namespace qzo::nn
