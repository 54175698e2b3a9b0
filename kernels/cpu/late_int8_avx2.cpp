// kInt8 without VNNI. Pair sums of code * activation are at most 2 * 15 * 127 = 3810, so sixteen bits hold eight of
// them: 32 inputs are added up in 16-bit lanes before they are widened.

#include <immintrin.h>

#include "cpu/lanes_avx2.h"
#include "cpu/late_int8_body.h"

namespace qzo::kernels {
namespace {

constexpr unsigned kWidth = 16;  // two registers of eight columns
constexpr unsigned kRows = 3;    // 6 sums, 6 partial sums, 2 of the panel, 1 broadcast: 15 of 16 registers

inline __m256i load(const std::byte* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline __m256i broadcast4(const std::byte* p) { return _mm256_set1_epi32(read<std::int32_t>(p)); }
inline __m256 broadcast_float(const std::byte* p) { return _mm256_set1_ps(read<float>(p)); }

// Up to 32 inputs of R rows, as 32-bit sums.
template <unsigned R, bool kWhole>
inline void dot_short(const std::byte* x, std::int64_t row_bytes, const std::byte* panel, std::int64_t inputs,
                      __m256i (&out)[R][2]) {
  __m256i part[R][2];
  const auto step = [&](std::int64_t k, bool first) {
    const __m256i w0 = load(panel + k * kWidth), w1 = load(panel + k * kWidth + 32);
#pragma GCC unroll 4
    for (unsigned r = 0; r < R; ++r) {
      const __m256i a = broadcast4(x + r * row_bytes + k);
      const __m256i p0 = _mm256_maddubs_epi16(w0, a), p1 = _mm256_maddubs_epi16(w1, a);
      part[r][0] = first ? p0 : _mm256_add_epi16(part[r][0], p0);
      part[r][1] = first ? p1 : _mm256_add_epi16(part[r][1], p1);
    }
  };
  step(0, true);
  if constexpr (kWhole) {
#pragma GCC unroll 8
    for (int k = 4; k < 32; k += 4) step(k, false);
  } else {
    for (std::int64_t k = 4; k < inputs; k += 4) step(k, false);
  }
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 4
  for (unsigned r = 0; r < R; ++r) {
    out[r][0] = _mm256_madd_epi16(part[r][0], ones);
    out[r][1] = _mm256_madd_epi16(part[r][1], ones);
  }
}

template <unsigned R>
inline void dot_chunk(const std::byte* x, std::int64_t row_bytes, const std::byte* panel, std::int64_t length,
                      __m256i (&total)[R][2]) {
  if (length == 32) return dot_short<R, true>(x, row_bytes, panel, 32, total);
  const std::int64_t head = length < 32 ? length : 32;
  dot_short<R, false>(x, row_bytes, panel, head, total);
  for (std::int64_t k = head; k < length; k += 32) {
    __m256i more[R][2];
    if (length - k >= 32)
      dot_short<R, true>(x + k, row_bytes, panel + k * kWidth, 32, more);
    else
      dot_short<R, false>(x + k, row_bytes, panel + k * kWidth, length - k, more);
#pragma GCC unroll 4
    for (unsigned r = 0; r < R; ++r)
      for (int h = 0; h < 2; ++h) total[r][h] = _mm256_add_epi32(total[r][h], more[r][h]);
  }
}

template <unsigned R>
inline void tile_rows(const LateTile& tile, std::int64_t row) {
  const std::byte* x = tile.x + row * tile.row_bytes;
  float* y = tile.y + row * tile.ldy;
  __m256 sum[R][2];
#pragma GCC unroll 4
  for (unsigned r = 0; r < R; ++r) {
    const Avx2Lanes::Floats before =
        tile.starts ? Avx2Lanes::zero() : load_some<Avx2Lanes>(y + r * tile.ldy, tile.columns);
    sum[r][0] = before.lo;
    sum[r][1] = before.hi;
  }
  const auto* panel = static_cast<const std::byte*>(tile.panel);
  const std::byte* activations = x + tile.activations;
  for (std::int64_t c = 0; c < tile.chunks; ++c) {
    const std::int64_t length = tile.length[c];
    __m256i total[R][2];
    dot_chunk<R>(activations, tile.row_bytes, panel, length, total);
    activations += length;
    panel += length * kWidth;
    const __m256 scale0 = _mm256_loadu_ps(tile.weight_scales + c * kWidth);
    const __m256 scale1 = _mm256_loadu_ps(tile.weight_scales + c * kWidth + 8);
#pragma GCC unroll 4
    for (unsigned r = 0; r < R; ++r) {
      const std::byte* row_data = x + r * tile.row_bytes;
      if (tile.constant_shift) {
        const __m256i shift = broadcast4(row_data + tile.sums + c * 4);
        total[r][0] = _mm256_add_epi32(total[r][0], shift);
        total[r][1] = _mm256_add_epi32(total[r][1], shift);
      }
      const __m256 scale = broadcast_float(row_data + tile.scales + c * 4);
      sum[r][0] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total[r][0]), _mm256_mul_ps(scale, scale0), sum[r][0]);
      sum[r][1] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total[r][1]), _mm256_mul_ps(scale, scale1), sum[r][1]);
    }
    if (tile.weight_offsets == nullptr) continue;
    const __m256 offset0 = _mm256_loadu_ps(tile.weight_offsets + c * kWidth);
    const __m256 offset1 = _mm256_loadu_ps(tile.weight_offsets + c * kWidth + 8);
#pragma GCC unroll 4
    for (unsigned r = 0; r < R; ++r) {
      const __m256 activation_sum = broadcast_float(x + r * tile.row_bytes + tile.sums + c * 4);
      sum[r][0] = _mm256_fmadd_ps(activation_sum, offset0, sum[r][0]);
      sum[r][1] = _mm256_fmadd_ps(activation_sum, offset1, sum[r][1]);
    }
  }
#pragma GCC unroll 4
  for (unsigned r = 0; r < R; ++r) {
    Avx2Lanes::Floats out{sum[r][0], sum[r][1]};
    if (tile.bias != nullptr) out = Avx2Lanes::add(out, Avx2Lanes::load(tile.bias));
    store_some<Avx2Lanes>(y + r * tile.ldy, out, tile.columns);
  }
}

void multiply(const LateTile& tile) {
  std::int64_t row = 0;
  for (; row + kRows <= tile.rows; row += kRows) tile_rows<kRows>(tile, row);
  for (; row < tile.rows; ++row) tile_rows<1>(tile, row);
}

}  // namespace

const LateKernel& late_int8_avx2() {
  static constexpr LateKernel kKernel{kWidth, 1, false, &prepare_int8<Avx2Lanes>, &unpack_words<kWidth>, &multiply};
  return kKernel;
}

}  // namespace qzo::kernels
