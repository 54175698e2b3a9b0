#pragma once
// y = x W^T with the scales applied late (qzo/kernels/scale_late.h), over all threads.

#include <span>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/scale_late.h"

namespace qzo::ops {

at::Tensor late_linear(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ChunkPlan& plan,
                       const kernels::ScaleView& plus, const kernels::ScaleView& minus, std::int64_t split,
                       std::span<const float> bias, kernels::LateInputs inputs);

}  // namespace qzo::ops
