#pragma once
// The boundary where tensors become pointers: checks shapes and dtypes, then runs the kernel over all threads.

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/weight_view.h"
#include "qzo/ops/precision.h"

namespace qzo::ops {

// y = x W^T (+ bias). x [rows, in] fp32 contiguous; y [rows, out] fp32. Rows [0, split) use `plus`, the rest `minus`.
// bias: empty or [out]. Same bits for any thread count and batch; for which instruction sets: scale_late.h (kFp32:
// all). chunks: of the weight; needed unless kFp32. What has no scales (dense) or no int8 kernel (Q8_0) is multiplied
// in fp32 whatever the mode. InternalError if dtype, shape or contiguity is wrong.
at::Tensor quant_linear(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ScaleView& plus,
                        const kernels::ScaleView& minus, std::int64_t split, std::span<const float> bias,
                        Precision precision, const kernels::ChunkPlan& chunks = {});

// Rows of a weight as fp32: [ids.size(), in] (embedding lookup; rows of the head for chosen tokens). InternalError if
// an id is not a row.
at::Tensor dequantized_rows(const kernels::CodeView& weight, const kernels::ScaleView& scale,
                            std::span<const std::int32_t> ids);

}  // namespace qzo::ops
