// kInt8 without VNNI. Pair sums of code * activation are at most 2 * 15 * 127 = 3810, so sixteen bits hold eight of
// them: 32 inputs (fewer of longer codes) are added up in 16-bit lanes before they are widened.

#include <immintrin.h>

#include "cpu/lanes_avx2.h"
#include "cpu/late_int8_body.h"

namespace qzo::kernels {
namespace {

constexpr unsigned kWidth = 16;  // two registers of eight columns
constexpr unsigned kRows = 3;    // 6 partial sums, 2 of the panel, 1 broadcast, 2 products: no register is spilled

inline __m256i load(const std::byte* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline __m256i broadcast4(const std::byte* p) { return _mm256_set1_epi32(read<std::int32_t>(p)); }
inline __m256 broadcast_float(const std::byte* p) { return _mm256_set1_ps(read<float>(p)); }

// total[r] += products of up to LateTile::inputs_in_16_bits inputs, as 32-bit sums in memory: registers are for the
// 16-bit ones.
template <unsigned R>
inline void dot_short(const std::byte* x, std::int64_t row_bytes, const std::byte* panel, std::int64_t inputs,
                      __m256i (*total)[2]) {
  __m256i part[R][2];
#pragma GCC unroll 4
  for (unsigned r = 0; r < R; ++r) part[r][0] = part[r][1] = _mm256_setzero_si256();
#pragma GCC unroll 1
  for (const std::byte* end = x + inputs; x < end; x += 4, panel += std::ptrdiff_t{4} * kWidth) {
    const __m256i w0 = load(panel), w1 = load(panel + 32);
#pragma GCC unroll 4
    for (unsigned r = 0; r < R; ++r) {
      const __m256i a = broadcast4(x + r * row_bytes);
      part[r][0] = _mm256_add_epi16(part[r][0], _mm256_maddubs_epi16(w0, a));
      part[r][1] = _mm256_add_epi16(part[r][1], _mm256_maddubs_epi16(w1, a));
    }
  }
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 4
  for (unsigned r = 0; r < R; ++r) {
    total[r][0] = _mm256_add_epi32(total[r][0], _mm256_madd_epi16(part[r][0], ones));
    total[r][1] = _mm256_add_epi32(total[r][1], _mm256_madd_epi16(part[r][1], ones));
  }
}

// Byte codes are split into nibbles (low + 16 * high), so that the bound above holds; the sums stay exact. The panel of
// the high ones stands behind the longest one of low ones.
constexpr std::int64_t kHighNibbles = kBlockDepth * kWidth;

void unpack(const PanelJob& job) {
  unpack_words<kWidth>(job);
  if (!has_byte_codes(job.weight)) return;
  std::uint32_t* low = job.words;
  std::uint32_t* high = job.words + kHighNibbles / 4;
  for (std::int64_t i = 0; i < (job.end - job.begin) / 4 * kWidth; ++i) {
    high[i] = low[i] >> 4 & 0x0f0f0f0fU;
    low[i] &= 0x0f0f0f0fU;
  }
}

// total[r] += 16 * products of the high nibbles, all inputs of a chunk. `panel`: of the low ones.
template <unsigned R>
inline void add_high_nibbles(const std::byte* x, std::int64_t row_bytes, const std::byte* panel, std::int64_t inputs,
                             __m256i (*total)[2]) {
  __m256i high[R][2];
  for (unsigned r = 0; r < R; ++r) high[r][0] = high[r][1] = _mm256_setzero_si256();
  for (std::int64_t k = 0; k < inputs; k += 32)
    dot_short<R>(x + k, row_bytes, panel + kHighNibbles + k * kWidth, inputs - k < 32 ? inputs - k : 32, high);
  for (unsigned r = 0; r < R; ++r)
    for (unsigned h = 0; h < 2; ++h) total[r][h] = _mm256_add_epi32(total[r][h], _mm256_slli_epi32(high[r][h], 4));
}

// sum += part * (activation scale * weight scale) + activation sum * weight offset, for one row. `x`: the row.
inline void add_chunk(const LateTile& tile, const std::byte* x, std::int64_t c, const __m256i* total, float* sum) {
  const __m256 scale = broadcast_float(x + tile.scales + c * 4);
  const float* weight_scales = tile.weight_scales + c * kWidth;
  for (std::ptrdiff_t h = 0; h < 2; ++h) {
    const __m256 both = _mm256_mul_ps(scale, _mm256_loadu_ps(weight_scales + 8 * h));
    __m256 value = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total[h]), both, _mm256_load_ps(sum + 8 * h));
    if (tile.weight_offsets != nullptr) {
      const __m256 activation_sum = broadcast_float(x + tile.sums + c * 4);
      value = _mm256_fmadd_ps(activation_sum, _mm256_loadu_ps(tile.weight_offsets + c * kWidth + 8 * h), value);
    }
    _mm256_store_ps(sum + 8 * h, value);
  }
}

template <unsigned R>
inline void tile_rows(const LateTile& tile, std::int64_t row) {
  const std::byte* x = tile.x + row * tile.row_bytes;
  float* y = tile.y + row * tile.ldy;
  alignas(32) float sum[R][kWidth];  // in memory: the partial sums need the registers
  for (unsigned r = 0; r < R; ++r)
    Avx2Lanes::store(sum[r], tile.from == nullptr
                                 ? Avx2Lanes::zero()
                                 : load_some<Avx2Lanes>(tile.from + (row + r) * tile.from_stride, tile.columns));
  const auto* panel = static_cast<const std::byte*>(tile.panel);
  const std::byte* activations = x + tile.activations;
  for (std::int64_t c = 0; c < tile.chunks; ++c) {
    const std::int64_t length = tile.length[c];
    __m256i total[R][2];
#pragma GCC unroll 4
    for (unsigned r = 0; r < R; ++r)
      total[r][0] = total[r][1] =
          tile.constant_shift ? broadcast4(x + r * tile.row_bytes + tile.sums + c * 4) : _mm256_setzero_si256();
    const std::int64_t run = tile.inputs_in_16_bits;
    if (length <= run) {
      dot_short<R>(activations, tile.row_bytes, panel, length, total);
    } else {
      for (std::int64_t k = 0; k < length; k += run) {
        asm volatile("" ::: "memory");  // totals stay in memory
        dot_short<R>(activations + k, tile.row_bytes, panel + k * kWidth, length - k < run ? length - k : run, total);
      }
    }
    if (tile.byte_codes) add_high_nibbles<R>(activations, tile.row_bytes, panel, length, total);
    activations += length;
    panel += length * kWidth;
#pragma GCC unroll 4
    for (unsigned r = 0; r < R; ++r) add_chunk(tile, x + r * tile.row_bytes, c, total[r], sum[r]);
    asm volatile("" ::: "memory");  // or gcc moves the sums into registers again
  }
  for (unsigned r = 0; r < R; ++r) {
    Avx2Lanes::Floats out = Avx2Lanes::load(sum[r]);
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
  static constexpr LateKernel kKernel{kWidth, 1, 2, false, &prepare_int8<Avx2Lanes>, &unpack, &multiply};
  return kKernel;
}

}  // namespace qzo::kernels
