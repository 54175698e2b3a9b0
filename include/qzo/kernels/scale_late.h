#pragma once
// y[t, n] = sum_g s[g, n] * (sum_{k in g} x[t, k] * (q - z)[n, k]) (+ bias[n]): quantized products with the scales
// applied late, to the sums of one group, in fp32. The integers are exact in every mode and the same for both signs of
// a probe, so a panel is unpacked once for the rows of both; only the activations are rounded:
//
//   kBf16    x to bf16 (nearest even)
//   kBf16x2  x to hi + lo, two bf16 parts: 16 significant bits, nearly fp32
//   kInt8    x to int8, one scale max|x| / 127 for each row and chunk; group sums are exact integers
//
// Codes that are fractions (NF4, FP4, AQLM: has_float_codes) are rounded to bf16 like the activations in kBf16, stay
// fp32 in kBf16x2 (there the products are fp32 ones on every CPU) and are not offered in kInt8.
//
// Same bits for any thread count and any batch: a row's result depends on that row alone. kInt8 also for every
// instruction set (integers are exact, the fp32 chain over chunks is written out). kBf16 and kBf16x2: the same on all
// CPUs without AVX512_BF16 (fp32 fma of the rounded parts); with it, sums have the rounding of vdpbf16ps.
//
// A NaN or infinity in a row of x makes the row's results NaN or infinite, never finite.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "qzo/kernels/weight_view.h"

namespace qzo::kernels {

enum class LateInputs : std::uint8_t { kBf16, kBf16x2, kInt8 };

// Inputs in the order the kernels walk them: chunks of up to 128 that share a scale, each padded to a multiple of 4.
// With desc_act (group_of) the inputs of a group are brought together; their order within it stays ascending.
struct ChunkPlan {
  std::int64_t depth = 0;            // padded inputs
  std::vector<std::int32_t> length;  // padded inputs of each chunk, 4 to 128
  std::vector<std::int32_t> group;   // index of its scale along `in`
  std::vector<std::int32_t> source;  // [depth] input at a position, -1 where padded; empty: position == input
  std::vector<std::int32_t> block;   // chunks [block[i], block[i+1]) are unpacked at a time, at most 512 inputs
};

// False for dense weights (nothing to scale), for groups of outputs (each input has a scale of its own, so no sum of
// several can be scaled late) and, with kInt8, for fractions.
bool scale_late_supported(const CodeView& weight, LateInputs inputs);
ChunkPlan make_chunk_plan(const CodeView& weight);

struct LateProblem {
  const CodeView& weight;
  const ChunkPlan& plan;
  LateInputs inputs;
  ScaleView plus;                // rows [0, split)
  ScaleView minus;               // rows [split, rows)
  const std::byte* x = nullptr;  // prepared rows, late_row_bytes apart, aligned to 64
  std::int64_t rows = 0;
  std::int64_t split = 0;
  const float* bias = nullptr;  // [out] or null
  float* y = nullptr;           // [rows, out], row stride ldy floats; overwritten
  std::int64_t ldy = 0;
};

// Bytes of one prepared row (a multiple of 64): activations, then a scale and a sum for each chunk.
std::int64_t late_row_bytes(const CodeView& weight, const ChunkPlan& plan, LateInputs inputs);
// Whether rows prepared for one weight serve the other.
bool same_late_rows(const CodeView& a, const ChunkPlan& plan_a, const CodeView& b, const ChunkPlan& plan_b,
                    LateInputs inputs);
// x [rows, in] fp32, row stride ldx floats, to prepared rows.
void late_prepare(const CodeView& weight, const ChunkPlan& plan, LateInputs inputs, const float* x, std::int64_t ldx,
                  std::int64_t rows, std::byte* out);

// Independent pieces of 64 outputs (32 of a narrow weight), for a parallel loop of the caller's.
std::int64_t late_pieces(const CodeView& weight);
std::size_t late_scratch_bytes();
// Computes one piece for all rows. `scratch`: late_scratch_bytes, aligned to 64. Throws nothing.
void late_matmul_piece(const LateProblem& problem, std::int64_t piece, void* scratch);

}  // namespace qzo::kernels
