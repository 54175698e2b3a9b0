#pragma once
// y[t, n] = sum_k x[t, k] * W[n, k] (+ bias[n]), W packed as weight_view.h says, in fp32.
//
// One walk serves both signs of a probe: rows [0, split) use the `plus` scales, rows [split, rows) the `minus` ones.
// Without a probe split == rows. The weight is unpacked panel by panel (kPanel outputs, kDepth inputs) into scratch
// that stays in L2; no dense copy of a layer exists.
//
// Same bits for every instruction set, thread count and batch layout: each output element is a chain of fused
// multiply-adds over k in ascending order, beginning at 0 (a row's result does not depend on the other rows); the bias
// is added behind its end. w = scale * code (+ offset by one fma) is rounded once to fp32, as the formats define the
// dequantized weight.

#include <cstddef>
#include <cstdint>

#include "qzo/kernels/weight_view.h"

namespace qzo::kernels {

inline constexpr std::int64_t kPanel = 16;   // outputs in a panel
inline constexpr std::int64_t kDepth = 256;  // inputs unpacked at a time: a panel of 16 KiB, half of L1

struct MatmulProblem {
  CodeView weight;
  ScaleView plus;
  ScaleView minus;
  const float* x = nullptr;  // [rows, in], row stride ldx floats
  std::int64_t ldx = 0;
  std::int64_t rows = 0;
  std::int64_t split = 0;
  const float* bias = nullptr;  // [out] or null
  float* y = nullptr;           // [rows, out], row stride ldy floats; overwritten
  std::int64_t ldy = 0;
};

// Independent pieces of a problem (column panels), for a parallel loop of the caller's.
std::int64_t matmul_pieces(const CodeView& weight);
std::size_t matmul_scratch_bytes(const CodeView& weight);
// Computes one piece. `scratch`: matmul_scratch_bytes, aligned to 64. Throws nothing.
void quant_matmul_piece(const MatmulProblem& problem, std::int64_t piece, void* scratch);

// Rows [first, first + count) of W as fp32, out [count, in].
void dequantize_rows(const CodeView& weight, const ScaleView& scale, std::int64_t first, std::int64_t count,
                     float* out);

// The slow truth: double accumulation, no blocking.
void reference_quant_matmul(const MatmulProblem& problem);

}  // namespace qzo::kernels
