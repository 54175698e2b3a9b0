#pragma once
// The work on one chunk of a parameter, compiled once per instruction set. Chunks begin at multiples of kOptimChunk;
// every fp32 array is readable and writable up to the next multiple of sixteen elements, and holds zeros there (states
// after decoding, staged weights and gradients).

#include <cstdint>

#include "cpu/optim_tables.h"

namespace qzo::kernels {

inline constexpr std::int64_t kOptimChunk = 1024;
inline constexpr std::int64_t kNibbleBlock = 128;

// Whether products with the reciprocal of a scale can stand for quotients.
inline bool has_reciprocal(float scale) { return scale >= 0x1p-100F && scale <= 0x1p100F; }

struct CodeChunk {
  const CodeBook* book = nullptr;
  std::uint8_t* codes = nullptr;  // of the chunk's first element
  float* block_scales = nullptr;  // of the chunk's first block; encode writes them
  const float* scales = nullptr;  // rank-1 instead: one for each element
  std::int64_t block = 0;
  std::int64_t count = 0;                // elements, at most kOptimChunk
  bool grid = false;                     // StateRounding::kGrid
  const std::uint32_t* words = nullptr;  // stochastic rounding: one for each element
};

struct AdamwChunk {
  float* theta = nullptr;
  const float* g = nullptr;
  float* m = nullptr;
  float* v = nullptr;
  std::int64_t count = 0;
  float beta1 = 0, rest1 = 0, beta2 = 0, rest2 = 0;  // rest = 1 - beta, rounded from double
  float decay = 1, step = 0, root = 1, eps = 0;
  bool v_given = false;  // v is this step's already
};

// 4-bit moments for adamw_nibbles: m signed dynamic exponent in blocks of 128, to nearest; v linear, in blocks of 128
// to nearest, or rank-1, or a product of two factors.
enum class SecondMoment : std::uint8_t { kBlock, kRank1, kFactored };
struct NibbleChunk {
  CodeChunk m, v;
  SecondMoment second = SecondMoment::kBlock;
  // Not with kBlock: numbers that columns (the last axis, from its beginning) and rows (from that of the first element
  // on) have. Rows are whole blocks; the first element is that of block `block` of its row.
  struct Margins {
    const float* columns = nullptr;
    const float* rows = nullptr;
  };
  std::int64_t row_blocks = 1, block = 0;
  Margins before;           // kRank1: scales before this step, the smaller one counts; kFactored: v is their product
  Margins raised, factors;  // kRank1: scales after this step; 16 / scale, of which the larger one counts
};

// Second moments of a part of a row, `count` a multiple of 64: their maxima are taken and nothing is written back.
struct RaiseChunk {
  const CodeBook* book = nullptr;
  const std::uint8_t* codes = nullptr;
  const float* g = nullptr;
  const float* scales = nullptr;  // of the last axis, before this step
  float row_scale = 0;
  std::int64_t count = 0;
  float beta2 = 0, rest2 = 0;
};

struct SgdChunk {
  float* theta = nullptr;
  const float* g = nullptr;
  float* m = nullptr;  // null: no momentum
  std::int64_t count = 0;
  float lr = 0, weight_decay = 0, momentum = 0, rest = 1;  // rest = 1 - dampening
  bool first = false, nesterov = false;
};

struct OptimVariant {
  void (*decode)(const CodeChunk& chunk, float* out);
  void (*encode)(const CodeChunk& chunk, const float* x);
  void (*adamw)(const AdamwChunk& chunk);
  // decode, adamw and encode of whole blocks of 128 in one pass, with the same bits; any number of them.
  void (*adamw_nibbles)(const AdamwChunk& chunk, const NibbleChunk& moments);
  // v = beta2 v + rest2 g^2 with the bits of adamw.
  void (*second_moment)(const AdamwChunk& chunk);
  void (*sgd)(const SgdChunk& chunk);
  // last[i] = max(last[i], v[i]), returning max v.
  float (*raise_nibbles)(const RaiseChunk& chunk, float* last);
  // out[i] = min(bound, last[i]); last[i] = max(last[i], |x[i]|), returning max |x|;
  // out[i] = a * last[i]. Any count.
  void (*bounded)(const float* last, float bound, std::int64_t count, float* out);
  float (*raise)(const float* x, std::int64_t count, float* last);
  void (*scaled)(const float* last, float a, std::int64_t count, float* out);
  // sums[i] += (double) (x[i]^2 + offset); returns their sum over the segment.
  double (*add_squares)(const float* x, std::int64_t count, float offset, double* sums);
  bool (*finite)(const float* x, std::int64_t count);
  bool (*finite_bfloat16)(const std::uint16_t* x, std::int64_t count);
  void (*widen)(const std::uint16_t* x, std::int64_t count, float* out);
  // To bf16, to nearest even, or with `words` by adding random bits below the last one that stays.
  void (*narrow)(const float* x, std::int64_t count, const std::uint32_t* words, std::uint16_t* out);
};

const OptimVariant& optim_portable();
const OptimVariant& optim_avx2();
const OptimVariant& optim_avx512();

}  // namespace qzo::kernels
