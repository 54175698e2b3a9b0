#pragma once
// Noise, probes and updates over plain arrays, compiled once per instruction set; the noise is bit-equal to
// core/gaussian.h over core/philox.h.

#include <cstdint>

namespace qzo::kernels {

struct NoiseStream {
  std::uint32_t key_low;   // seed, low word
  std::uint32_t key_high;  // step
  std::uint32_t tag;       // direction << 24 | purpose << 16, the quad's bits 32-47 are added
  std::uint32_t tensor;
  std::uint32_t seed_high;
};

struct NoiseVariant {
  // z of elements [4 first_quad, 4 (first_quad + quads)).
  void (*fill_quads)(const NoiseStream& stream, std::uint64_t first_quad, std::int64_t quads, float* out);
  // The generator's words of elements [4 first_quad, 4 (first_quad + quads)), for rounding.
  void (*fill_words)(const NoiseStream& stream, std::uint64_t first_quad, std::int64_t quads, std::uint32_t* out);
  // plus, minus = s +- eps z, relative: s +- (eps z) s; either may be null.
  void (*perturb)(const float* s, const float* z, std::int64_t count, float eps, bool relative, float* plus,
                  float* minus);
  // s <- s - c z, relative: s - (c z) s; positive scales stay at or above min(floor, s) unless `is_signed`.
  void (*update)(float* s, const float* z, std::int64_t count, float c, bool relative, float floor, bool is_signed);
};

const NoiseVariant& noise_portable();
const NoiseVariant& noise_avx2();
const NoiseVariant& noise_avx512();

}  // namespace qzo::kernels
