#include "cpu/late_tile_avx512.h"
#include "cpu/late_unpack_values.h"

namespace qzo::kernels {
namespace {

struct Bf16Lanes : Avx512Lanes {
  using Halves = __m256bh;
  using Avx512Lanes::store;
  static Halves to_halves(Floats a) { return _mm512_cvtneps_pbh(a.v); }
  static Floats from_halves(Halves a) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(a)), 16))};
  }
  static void store(std::byte* p, Halves a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(a));
  }
};

// Integers of up to eight bits are exact in bf16: the upper half of their fp32 form.
inline std::uint32_t bf16_bits(std::int32_t value) {
  const auto number = static_cast<float>(value);
  std::uint32_t bits;
  std::memcpy(&bits, &number, 4);
  return bits >> 16;
}

// Fractions, rounded. A few inputs at a time: as fp32 a whole block would not fit into L1.
void unpack_value_pairs(const PanelJob& job) {
  constexpr std::int64_t kInputs = 32;
  auto* panel = static_cast<std::uint32_t*>(job.panel);
  PanelJob part = job;
  for (; part.begin < job.end; part.begin = part.end) {
    part.end = job.end - part.begin < kInputs ? job.end : part.begin + kInputs;
    alignas(64) float values[kInputs * kTileWidth];
    unpack_values<Avx512Lanes, kTileWidth>(part, values);
    for (const float* pair = values; pair < values + (part.end - part.begin) * kTileWidth; pair += 2 * kTileWidth)
      for (unsigned n = 0; n < kTileWidth; n += kLanes, panel += kLanes) {
        const auto even = Avx512Lanes::bits_of(to_bfloat16<Avx512Lanes>(Avx512Lanes::load(pair + n)));
        const auto odd = Avx512Lanes::bits_of(to_bfloat16<Avx512Lanes>(Avx512Lanes::load(pair + kTileWidth + n)));
        _mm512_storeu_si512(panel, _mm512_or_si512(_mm512_srli_epi32(even.v, 16), odd.v));
      }
  }
}

// Codes below 64 that share a zero point: pairs of 16-bit entries of a table of q - zero.
void unpack_pairs_by_table(const PanelJob& job) {
  alignas(64) std::uint16_t values[64];
  const std::int32_t zero = constant_zero(job.weight);
  for (std::int32_t q = 0; q < 64; ++q) values[q] = static_cast<std::uint16_t>(bf16_bits(q - zero));
  const __m512i table0 = _mm512_load_si512(values), table1 = _mm512_load_si512(values + 32);
  const __m512i even = _mm512_set1_epi32(0x000000ff), odd = _mm512_set1_epi32(0x00ff0000);
  auto* panel = static_cast<std::uint32_t*>(job.panel);
  const std::uint32_t* words = job.words;
  for (std::int64_t k = job.begin; k < job.end; k += 4, words += kTileWidth, panel += 2 * kTileWidth)
    for (unsigned n = 0; n < kTileWidth; n += kLanes) {
      const __m512i w = _mm512_load_si512(words + n);
      // Bytes 0 and 1 (2 and 3) as 16-bit indices.
      const __m512i first = _mm512_or_si512(_mm512_and_si512(w, even), _mm512_and_si512(_mm512_slli_epi32(w, 8), odd));
      const __m512i high = _mm512_srli_epi32(w, 16);
      const __m512i second =
          _mm512_or_si512(_mm512_and_si512(high, even), _mm512_and_si512(_mm512_slli_epi32(high, 8), odd));
      _mm512_storeu_si512(panel + n, _mm512_permutex2var_epi16(table0, first, table1));
      _mm512_storeu_si512(panel + kTileWidth + n, _mm512_permutex2var_epi16(table0, second, table1));
    }
}

// [position / 2][32][2] bf16.
void unpack_pairs(const PanelJob& job) {
  if (has_float_codes(job.weight.layout)) return unpack_value_pairs(job);
  unpack_words<kTileWidth>(job);
  const bool bytes = has_byte_codes(job.weight);
  if (!bytes && job.weight.zeros == nullptr) return unpack_pairs_by_table(job);
  auto* panel = static_cast<std::uint32_t*>(job.panel);
  for_chunks_with_zeros<kTileWidth>(job, [&](std::int64_t first, std::int64_t words, const std::int32_t* zeros) {
    for (std::int64_t w = first; w < first + words; ++w)
      for (unsigned pair = 0; pair < 2; ++pair) {
        std::uint32_t* out = panel + (w * 2 + pair) * kTileWidth;
        for (unsigned n = 0; n < kTileWidth; ++n) {
          const std::uint32_t word = job.words[w * kTileWidth + n];
          const std::uint32_t even = bf16_bits(code_of(word, 2 * pair) - zeros[n]);
          const std::uint32_t odd = bf16_bits(code_of(word, 2 * pair + 1) - zeros[n]);
          out[n] = even | odd << 16;
        }
      }
  });
}

// sum += a * w, pairwise. In assembly because gcc 12 keeps the sums in two sets of registers around the intrinsic, and
// spills.
inline void add_products(__m512& sum, __m512i a, __m512i w) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(w));
}

template <bool kTwoParts>
struct Bf16 {
  using Part = __m512;
  static constexpr std::int64_t kPanelBytes = 2;

  template <unsigned R>
  static void chunk(const LateTile& tile, const std::byte* x, std::int64_t, std::int64_t k, std::int64_t length,
                    const std::byte* panel, __m512 (&part)[R][2]) {
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r) part[r][0] = part[r][1] = _mm512_setzero_ps();
    const std::byte* activations = x + tile.activations + k * 2;
    const std::byte* low = x + tile.low + k * 2;
#pragma GCC unroll 1
    for (std::int64_t i = 0; i < length * 2; i += 4) {
      const __m512i w0 = load_panel(panel + i * kTileWidth), w1 = load_panel(panel + i * kTileWidth + 64);
#pragma GCC unroll 8
      for (unsigned r = 0; r < R; ++r) {
        const __m512i a = broadcast4(activations + r * tile.row_bytes + i);
        add_products(part[r][0], a, w0);
        add_products(part[r][1], a, w1);
      }
      if constexpr (kTwoParts) {
#pragma GCC unroll 8
        for (unsigned r = 0; r < R; ++r) {
          const __m512i a = broadcast4(low + r * tile.row_bytes + i);
          add_products(part[r][0], a, w0);
          add_products(part[r][1], a, w1);
        }
      }
    }
  }

  static __m512 add(__m512 sum, __m512 part, __m512 weight_scale, const std::byte*) {
    return _mm512_fmadd_ps(part, weight_scale, sum);
  }
};

template <bool kTwoParts>
constexpr LateKernel kKernel{kTileWidth,
                             2,
                             2,
                             kTwoParts,
                             &prepare_halves<Bf16Lanes, kTwoParts>,
                             &unpack_pairs,
                             &multiply_tiles<Bf16<kTwoParts>>};

}  // namespace

const LateKernel& late_bf16_avx512(LateInputs inputs) {
  return inputs == LateInputs::kBf16x2 ? kKernel<true> : kKernel<false>;
}

}  // namespace qzo::kernels
