#pragma once
// The register tile: R rows by 16 columns of y, one chain of fused multiply-adds over ascending k per element.

#include <cstddef>
#include <cstdint>

#include "cpu/tail.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

template <class L, int R>
inline void multiply_tile(const TileJob& job, std::int64_t row) {
  using Floats = typename L::Floats;
  const std::int64_t ldx = job.ldx;
  float* y = job.y + row * job.ldy;
  Floats sum[static_cast<std::size_t>(R)];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) sum[r] = job.starts_chain ? L::zero() : load_some<L>(y + r * job.ldy, job.columns);

  const float* x = job.x + row * ldx;
  const float* w = job.panel;
  for (std::int64_t k = 0; k < job.depth; ++k, ++x, w += kLanes) {
    const Floats column = L::load(w);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sum[r] = L::fma(L::broadcast(x[r * ldx]), column, sum[r]);
  }

  if (job.bias != nullptr) {
    const Floats bias = L::load(job.bias);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sum[r] = L::add(sum[r], bias);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) store_some<L>(y + r * job.ldy, sum[r], job.columns);
}

// The last `left` < R + 1 rows.
template <class L, int R>
inline void multiply_rest(const TileJob& job, std::int64_t row, std::int64_t left) {
  if (left == R) return multiply_tile<L, R>(job, row);
  if constexpr (R > 1) multiply_rest<L, R - 1>(job, row, left);
}

template <class L>
void multiply(const TileJob& job) {
  constexpr int kRows = L::kTileRows;
  std::int64_t row = 0;
  for (; row + kRows <= job.rows; row += kRows) multiply_tile<L, kRows>(job, row);
  if (row < job.rows) multiply_rest<L, kRows - 1>(job, row, job.rows - row);
}

}  // namespace
}  // namespace qzo::kernels
