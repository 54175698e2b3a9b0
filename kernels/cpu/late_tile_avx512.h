#pragma once
// The register tile of the AVX-512 kernels: 6 rows by 2 vectors of 16 columns. 12 sums over chunks, 12 of the chunk, 2
// of the panel and a broadcast or two: 28 of 32 registers. What differs, the product of a chunk, is a policy:
//
//   Dot::Part                    partial sums of one row and vector
//   Dot::chunk<R>(...)           fills parts from activations and panel
//   Dot::add(sum, part, ...)     sum += scale * part

#include <immintrin.h>

#include "cpu/lanes_avx512.h"
#include "cpu/late_int8_body.h"

namespace qzo::kernels {
namespace {

inline constexpr unsigned kTileWidth = 32;
inline constexpr unsigned kTileRows = 6;

// Lanes of the columns that exist, in a vector that begins `left` columns before their end; none where left <= 0.
inline __mmask16 columns_mask(std::int64_t left) {
  return static_cast<__mmask16>(left >= 16 ? 0xffffU : left <= 0 ? 0U : (1U << left) - 1U);
}
inline __m512 broadcast_float(const std::byte* p) { return _mm512_set1_ps(read<float>(p)); }
inline __m512i broadcast4(const std::byte* p) { return _mm512_set1_epi32(read<std::int32_t>(p)); }
inline __m512i load_panel(const std::byte* p) { return _mm512_loadu_si512(p); }

template <class Dot, unsigned R>
inline void tile_rows(const LateTile& tile, std::int64_t row) {
  const std::byte* x = tile.x + row * tile.row_bytes;
  float* y = tile.y + row * tile.ldy;
  const __mmask16 columns0 = columns_mask(tile.columns), columns1 = columns_mask(tile.columns - 16);
  if (tile.claimed != nullptr) {
    const float* claimed = tile.claimed + (row + kTileRows) * tile.claimed_stride;
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r, claimed += tile.claimed_stride)
      for (const unsigned column : {0U, 16U, kTileWidth - 1}) __builtin_prefetch(claimed + column, 1);
  }
  __m512 sum[R][2];
#pragma GCC unroll 8
  for (unsigned r = 0; r < R; ++r) {
    sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    if (tile.from == nullptr) continue;
    const float* from = tile.from + (row + r) * tile.from_stride;
    sum[r][0] = _mm512_maskz_loadu_ps(columns0, from);
    sum[r][1] = _mm512_maskz_loadu_ps(columns1, from + 16);
  }
  for (unsigned r = 0; tile.share == 0 && r < R; ++r) {
    const std::byte* ahead = x + r * tile.row_bytes + tile.ahead;
    _mm_prefetch(reinterpret_cast<const char*>(ahead + tile.scales), _MM_HINT_T1);
    _mm_prefetch(reinterpret_cast<const char*>(ahead + tile.sums), _MM_HINT_T1);
  }
  const auto* panel = static_cast<const std::byte*>(tile.panel);
  std::int64_t k = 0;
  for (std::int64_t c = 0; c < tile.chunks; ++c) {
    const std::int64_t length = tile.length[c];
    const std::byte* ahead =
        x + tile.ahead + tile.activations + tile.share + (k * Dot::kPanelBytes >> tile.log2_shares);
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r)
      _mm_prefetch(reinterpret_cast<const char*>(ahead + r * tile.row_bytes), _MM_HINT_T1);
    typename Dot::Part part[R][2];
    Dot::template chunk<R>(tile, x, c, k, length, panel, part);
    k += length;
    panel += length * kTileWidth * Dot::kPanelBytes;
    const __m512 scale0 = _mm512_loadu_ps(tile.weight_scales + c * kTileWidth);
    const __m512 scale1 = _mm512_loadu_ps(tile.weight_scales + c * kTileWidth + 16);
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r) {
      const std::byte* row_data = x + r * tile.row_bytes;
      sum[r][0] = Dot::add(sum[r][0], part[r][0], scale0, row_data + tile.scales + c * 4);
      sum[r][1] = Dot::add(sum[r][1], part[r][1], scale1, row_data + tile.scales + c * 4);
    }
    if (tile.weight_offsets == nullptr) continue;
    const __m512 offset0 = _mm512_loadu_ps(tile.weight_offsets + c * kTileWidth);
    const __m512 offset1 = _mm512_loadu_ps(tile.weight_offsets + c * kTileWidth + 16);
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r) {
      const __m512 activation_sum = broadcast_float(x + r * tile.row_bytes + tile.sums + c * 4);
      sum[r][0] = _mm512_fmadd_ps(activation_sum, offset0, sum[r][0]);
      sum[r][1] = _mm512_fmadd_ps(activation_sum, offset1, sum[r][1]);
    }
  }
#pragma GCC unroll 8
  for (unsigned r = 0; r < R; ++r) {
    if (tile.bias != nullptr) {
      sum[r][0] = _mm512_add_ps(sum[r][0], _mm512_loadu_ps(tile.bias));
      sum[r][1] = _mm512_add_ps(sum[r][1], _mm512_loadu_ps(tile.bias + 16));
    }
    _mm512_mask_storeu_ps(y + r * tile.ldy, columns0, sum[r][0]);
    _mm512_mask_storeu_ps(y + r * tile.ldy + 16, columns1, sum[r][1]);
  }
}

template <class Dot>
void multiply_tiles(const LateTile& tile) {
  std::int64_t row = 0;
  for (; row + kTileRows <= tile.rows; row += kTileRows) tile_rows<Dot, kTileRows>(tile, row);
  for (; row + 2 <= tile.rows; row += 2) tile_rows<Dot, 2>(tile, row);
  for (; row < tile.rows; ++row) tile_rows<Dot, 1>(tile, row);
}

}  // namespace
}  // namespace qzo::kernels
