#pragma once
// A product that LibTorch's autograd can go back through, with our own kernels in both directions: no dense copy of a
// packed weight exists, and the bits do not depend on the number of threads.

#include <ATen/core/Tensor.h>

#include "qzo/kernels/weight_view.h"

namespace qzo::ops {

// W [out, in] of a product, and where the gradient of the loss by W is added up.
struct GradientWeight {
  kernels::CodeView codes;  // what it points to must be unchanged until the backward pass is over
  kernels::ScaleView scales;
  at::Tensor gradient;  // [out, in] fp32, contiguous; undefined: W is frozen
};

// y = x W^T in fp32, x [R, in], y [R, out]. Backward: dx = dy W, with W dequantized a panel of rows at a time;
// gradient += dy^T x. Recorded if gradients are enabled and x requires them (the gradient of W is not computed
// otherwise). InternalError as quant_linear.
at::Tensor differentiable_linear(const at::Tensor& x, const GradientWeight& weight);

// x [A, B] fp32 contiguous -> [B, A]; parallel.
at::Tensor transposed(const at::Tensor& x);

}  // namespace qzo::ops
