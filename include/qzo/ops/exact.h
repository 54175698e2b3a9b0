#pragma once
// Products in double precision on the very weights that the scales define, for references: slow.

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/weight_view.h"

namespace qzo::ops {

// Rows of W [out, in] as double [ids.size(), in]: scale * code + offset of fp32 scales and offsets, not rounded to fp32
// as dequantized weights are. InternalError for an id outside of [0, out).
at::Tensor exact_rows(const kernels::CodeView& weight, const kernels::ScaleView& scale,
                      std::span<const std::int32_t> ids);

// x [R, in] double -> x W^T [R, out] double, W as above. Deterministic for a number of threads.
at::Tensor exact_linear(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ScaleView& scale);

}  // namespace qzo::ops
