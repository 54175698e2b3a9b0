#pragma once
// Weights as fp32 matrices, and back.

#include <ATen/core/Tensor.h>

#include "qzo/quant/packed_weight.h"

namespace qzo::quantize {

// [out, in] fp32, whatever the format. UserError naming the weight if one is not finite.
at::Tensor dense_values(const quant::PackedWeight& weight);

// A dense weight of these values [out, in] fp32, with memory of its own.
quant::PackedWeight dense_weight(const std::string& name, const at::Tensor& values);

}  // namespace qzo::quantize
