#pragma once
// y = x W^T with the scales applied late (qzo/kernels/scale_late.h), over all threads.

#include <span>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/scale_late.h"
#include "qzo/ops/linear.h"

namespace qzo::ops {

at::Tensor late_linear(const LinearInput& input, const kernels::CodeView& weight, const kernels::ChunkPlan& plan,
                       const kernels::ScaleView& plus, const kernels::ScaleView& minus, std::int64_t split,
                       std::span<const float> bias, kernels::LateInputs inputs);

// In how many parts the rows are computed; each unpacks the weight.
std::int64_t late_row_chunks(const kernels::CodeView& weight, std::int64_t rows);

}  // namespace qzo::ops
