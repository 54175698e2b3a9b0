#pragma once

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/weight_view.h"

namespace qzo::ops {

// quant_linear with Precision::kBf16, arguments already checked.
at::Tensor bf16_linear(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ScaleView& plus,
                       const kernels::ScaleView& minus, std::int64_t split, std::span<const float> bias);

}  // namespace qzo::ops
