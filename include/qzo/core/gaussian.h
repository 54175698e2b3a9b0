#pragma once
// Standard normals from counter words, with operations that IEEE 754 defines exactly (add, multiply, fma, sqrt, divide,
// integer), so that every device, compiler and instruction set gives the same bits. No libm.
//
// Box-Muller: u1 = (w0 + 0.5) 2^-32, u2 likewise; r = sqrt(-2 ln u1), theta = 2 pi u2; normals r cos(theta), r
// sin(theta). Error against exact arithmetic below 1e-6 for every pair of words.
//
// Header-only and branch-free, with internal linkage: the vector kernels compile the same lines for each instruction
// set and their loops become vector code with the same bits (-ffp-contract=off; every fma is written out). Builtins
// instead of std:: functions, so that no copy compiled for a newer CPU can be shared with the rest of the program.

#include <cstdint>

namespace qzo::core {

// float(w), rounded once; written with two signed conversions since AVX2 has no unsigned one.
static inline float word_to_float(std::uint32_t w) {
  return __builtin_fmaf(static_cast<float>(static_cast<std::int32_t>(w >> 16)), 65536.0F,
                        static_cast<float>(static_cast<std::int32_t>(w & 0xFFFFU)));
}

// `yes` where every bit of `mask` is set, `no` where none is. A choice written with ?: would be a branch around
// arithmetic that might trap, which gcc does not turn into vector code.
static inline float choose(std::uint32_t mask, float yes, float no) {
  return __builtin_bit_cast(
      float, (__builtin_bit_cast(std::uint32_t, yes) & mask) | (__builtin_bit_cast(std::uint32_t, no) & ~mask));
}

// ln((w + 0.5) 2^-32), relative error below 3e-7 up to both ends of the range.
static inline float log_of_word(std::uint32_t w) {
  // Near 1 the distance to 1 is what counts: it is taken from the complement, before anything is rounded.
  const std::uint32_t near_one = w >= 0xB504F334U ? ~0U : 0U;  // sqrt(1/2)
  const float from_one = (word_to_float(~w) + 0.5F) * -0x1p-32F;

  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, word_to_float(w) + 0.5F);
  // Mantissa into [sqrt(1/2), sqrt(2)): subtract the bits of sqrt(1/2), keep the exponent difference.
  const std::uint32_t shifted = bits - 0x3F3504F3U;
  const auto exponent = static_cast<std::int32_t>(shifted) >> 23;
  const float mantissa = __builtin_bit_cast(float, (shifted & 0x007FFFFFU) + 0x3F3504F3U);

  const float f = choose(near_one, from_one, mantissa - 1.0F);
  const float e = choose(near_one, 0.0F, static_cast<float>(exponent - 32));
  // ln(1 + f) = f - f^2/2 + f^3 P(f); P fitted on [sqrt(1/2) - 1, sqrt(2) - 1], error 8e-10.
  float p = 0x1.1b5a60p-4F;
  p = __builtin_fmaf(p, f, -0x1.e27eaap-4F);
  p = __builtin_fmaf(p, f, 0x1.e60946p-4F);
  p = __builtin_fmaf(p, f, -0x1.fb5294p-4F);
  p = __builtin_fmaf(p, f, 0x1.233944p-3F);
  p = __builtin_fmaf(p, f, -0x1.55629ap-3F);
  p = __builtin_fmaf(p, f, 0x1.99a4e2p-3F);
  p = __builtin_fmaf(p, f, -0x1.ffffeep-3F);
  p = __builtin_fmaf(p, f, 0x1.555546p-2F);
  const float square = f * f;
  const float tail = __builtin_fmaf(square * f, p, square * -0.5F);
  return __builtin_fmaf(e, 0x1.62e430p-1F, f + tail);
}

struct Direction {
  float cosine;
  float sine;
};

// Cosine and sine of 2 pi (w + 0.5) 2^-32: the angle to the nearest multiple of pi/2 is exact in integers.
static inline Direction direction_of_word(std::uint32_t w) {
  const std::uint32_t turned = w + 0x20000000U;
  const std::uint32_t quadrant = turned >> 30;
  const std::int32_t rest = static_cast<std::int32_t>(turned & 0x3FFFFFFFU) - 0x20000000;
  const float angle = (static_cast<float>(rest) + 0.5F) * 0x1.921fb6p-30F;  // within pi/4
  const float square = angle * angle;
  float s = __builtin_fmaf(-0x1.994e86p-13F, square, 0x1.110760p-7F);
  s = __builtin_fmaf(s, square, -0x1.555546p-3F);
  s = __builtin_fmaf(s * square, angle, angle);
  float c = __builtin_fmaf(0x1.9a022ep-16F, square, -0x1.6c0c8cp-10F);
  c = __builtin_fmaf(c, square, 0x1.55554ap-5F);
  c = __builtin_fmaf(c * square, square, __builtin_fmaf(square, -0.5F, 1.0F));
  const std::uint32_t swapped = 0U - (quadrant & 1U);
  const float cosine = choose(swapped, s, c);
  const float sine = choose(swapped, c, s);
  // Quadrants 1 and 2 have a negative cosine, 2 and 3 a negative sine.
  const std::uint32_t cosine_sign = ((quadrant + 1U) & 2U) << 30;
  const std::uint32_t sine_sign = (quadrant & 2U) << 30;
  return {__builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, cosine) ^ cosine_sign),
          __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, sine) ^ sine_sign)};
}

struct NormalPair {
  float first;
  float second;
};

// r^2; positive for every word. Apart from its square root, so that vector kernels can take that in a loop of its own.
static inline float squared_radius_of_word(std::uint32_t w) { return -2.0F * log_of_word(w); }

static inline NormalPair gaussian_pair(std::uint32_t w0, std::uint32_t w1) {
  const float radius = __builtin_sqrtf(squared_radius_of_word(w0));
  const Direction direction = direction_of_word(w1);
  return {radius * direction.cosine, radius * direction.sine};
}

}  // namespace qzo::core
