#pragma once
// The boundary where tensors become pointers: checks shapes and dtypes, then runs the kernel over all threads.

#include <cstdint>
#include <span>
#include <utility>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/weight_view.h"
#include "qzo/ops/precision.h"

namespace qzo::ops {

// What one or several linear layers are applied to. Layers that want its rows prepared in the same way (q, k and v;
// gate and up) share the preparation. x must not change as long as it is used.
class LinearInput {
 public:
  LinearInput(at::Tensor x) : x_(std::move(x)) {}  // NOLINT(google-explicit-constructor): a tensor is an input
  [[nodiscard]] const at::Tensor& x() const { return x_; }
  // [rows * late_row_bytes] of x; weight and chunks must outlive this.
  [[nodiscard]] const at::Tensor& late_rows(const kernels::CodeView& weight, const kernels::ChunkPlan& chunks,
                                            kernels::LateInputs inputs) const;

 private:
  at::Tensor x_;
  mutable at::Tensor rows_;  // as prepared for the following
  mutable const kernels::CodeView* weight_ = nullptr;
  mutable const kernels::ChunkPlan* chunks_ = nullptr;
  mutable kernels::LateInputs inputs_ = kernels::LateInputs::kBf16;
};

// y = x W^T (+ bias). x [rows, in] fp32 contiguous; y [rows, out] fp32. Rows [0, split) use `plus`, the rest `minus`.
// bias: empty or [out]. Same bits for any thread count and batch; for which instruction sets: scale_late.h (kFp32:
// all). chunks: of the weight; needed unless kFp32. What has no scales (dense) or no int8 kernel (fractions) is
// multiplied in fp32 whatever the mode. InternalError if dtype, shape or contiguity is wrong.
at::Tensor quant_linear(const LinearInput& input, const kernels::CodeView& weight, const kernels::ScaleView& plus,
                        const kernels::ScaleView& minus, std::int64_t split, std::span<const float> bias,
                        Precision precision, const kernels::ChunkPlan& chunks = {});

// How often a product of so many rows unpacks each panel of the weight (once for both signs in the scale-late modes).
std::int64_t unpackings(const kernels::CodeView& weight, std::int64_t rows, Precision precision);

// Rows of a weight as fp32: [ids.size(), in] (embedding lookup; rows of the head for chosen tokens). InternalError if
// an id is not a row.
at::Tensor dequantized_rows(const kernels::CodeView& weight, const kernels::ScaleView& scale,
                            std::span<const std::int32_t> ids);

}  // namespace qzo::ops
