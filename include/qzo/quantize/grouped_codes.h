#pragma once
// A weight matrix in codes with a grid for each group of inputs, and the two ways to choose them. N outputs, K inputs.

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/quantize/grid.h"

namespace qzo::quantize {

struct GroupedCodes {
  std::int64_t out = 0, in = 0;
  std::int64_t group = 0;  // inputs that share a grid; the last group may be short
  GridRule rule = {};
  std::vector<std::uint8_t> codes = {};     // [N, K]
  std::vector<Grid> grids = {};             // [N, groups]
  std::vector<std::int32_t> group_of = {};  // [K] with act_order; empty: k / group

  [[nodiscard]] std::int64_t groups() const { return (in + group - 1) / group; }
  [[nodiscard]] at::Tensor values() const;  // [N, K] fp32: what readers of the stored weight compute
};

// Every weight to the nearest value of its group's grid. weight [N, K] fp32, contiguous, finite; 0 < group <= K.
GroupedCodes round_to_nearest(const at::Tensor& weight, const GridRule& rule, std::int64_t group);

struct SolverOptions {
  GridRule rule = {};
  std::int64_t group = 128;  // 0 < group <= K
  double damp = 0.01;        // share of the mean of H's diagonal that is added to it, > 0
  bool act_order = false;    // inputs of large H[k, k] first; groups are formed in that order
};

// GPTQ (arXiv 2210.17323, algorithm 1): input by input, the error of rounding is made up for in the inputs that are
// left, so that the sum over rows w of (w - q) H (w - q)^T becomes small. `hessian` [K, K] fp32, symmetric: the mean of
// x^T x over the inputs of the layer. Other than in the first implementations, a group's grid is laid over weights
// that have all corrections so far, for any size of groups. Inputs that were always 0 are rounded to nearest.
// Outputs are independent of each other: same bits for any number of threads. Factorization in fp64: 20 K^2 bytes of
// scratch. UserError if H cannot be factorized though damped.
GroupedCodes solve_gptq(const at::Tensor& weight, const at::Tensor& hessian, const SolverOptions& options);

// sum over rows of (w - q) H (w - q)^T, divided by the same of w: the share of the layer's output that is lost. Without
// a hessian (undefined tensor) H = 1.
double relative_error(const at::Tensor& weight, const at::Tensor& values, const at::Tensor& hessian);

}  // namespace qzo::quantize
