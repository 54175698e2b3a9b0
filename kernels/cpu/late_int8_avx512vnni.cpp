#include "cpu/late_tile_avx512.h"

namespace qzo::kernels {
namespace {

// sum += w * a, four at a time; w unsigned, a signed. In assembly because gcc 12 keeps the sums in two sets of
// registers around the intrinsic, and spills.
inline void add_products(__m512i& sum, __m512i w, __m512i a) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(a));
}

struct Vnni {
  using Part = __m512i;
  static constexpr std::int64_t kPanelBytes = 1;

  // A constant zero point costs nothing: sums begin at -zero * (sum of the activations).
  template <unsigned R>
  static void chunk(const LateTile& tile, const std::byte* x, std::int64_t c, std::int64_t k, std::int64_t length,
                    const std::byte* panel, __m512i (&part)[R][2]) {
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r) {
      part[r][0] =
          tile.constant_shift ? broadcast4(x + r * tile.row_bytes + tile.sums + c * 4) : _mm512_setzero_si512();
      part[r][1] = part[r][0];
    }
    const std::byte* activations = x + tile.activations + k;
#pragma GCC unroll 1
    for (std::int64_t i = 0; i < length; i += 4) {
      const __m512i w0 = load_panel(panel + i * kTileWidth), w1 = load_panel(panel + i * kTileWidth + 64);
#pragma GCC unroll 8
      for (unsigned r = 0; r < R; ++r) {
        const __m512i a = broadcast4(activations + r * tile.row_bytes + i);
        add_products(part[r][0], w0, a);
        add_products(part[r][1], w1, a);
      }
    }
  }

  static __m512 add(__m512 sum, __m512i part, __m512 weight_scale, const std::byte* activation_scale) {
    const __m512 scale = _mm512_mul_ps(broadcast_float(activation_scale), weight_scale);
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(part), scale, sum);
  }
};

}  // namespace

const LateKernel& late_int8_avx512() {
  static constexpr LateKernel kKernel{
      kTileWidth, 1, 1, false, &prepare_int8<Avx512Lanes>, &unpack_words<kTileWidth>, &multiply_tiles<Vnni>};
  return kKernel;
}

}  // namespace qzo::kernels
