#pragma once
// Updates of a chunk over any lanes type, and the plain loops around them.

#include "cpu/optim_code_body.h"

namespace qzo::kernels {
namespace {

template <class L>
inline typename L::Floats next_second(const AdamwChunk& c, typename L::Floats g, typename L::Floats v) {
  return L::fma(L::mul(L::broadcast(c.rest2), g), g, L::mul(L::broadcast(c.beta2), v));
}

template <class L, bool kGiven>
void adamw_loop(const AdamwChunk& c) {
  const auto beta1 = L::broadcast(c.beta1), rest1 = L::broadcast(c.rest1), decay = L::broadcast(c.decay);
  const auto minus_step = L::broadcast(-c.step), root = L::broadcast(c.root), eps = L::broadcast(c.eps);
  for (std::int64_t i = 0; i < c.count; i += kGroup) {
    const auto g = L::load(c.g + i);
    const auto m = L::fma(rest1, g, L::mul(beta1, L::load(c.m + i)));
    L::store(c.m + i, m);
    auto v = L::load(c.v + i);
    if constexpr (!kGiven) {
      v = next_second<L>(c, g, v);
      L::store(c.v + i, v);
    }
    const auto denominator = L::fma(L::sqrt(v), root, eps);
    const auto theta = L::mul(L::load(c.theta + i), decay);
    L::store(c.theta + i, L::fma(minus_step, L::div(m, denominator), theta));
  }
}

template <class L>
void adamw_chunk(const AdamwChunk& c) {
  c.v_given ? adamw_loop<L, true>(c) : adamw_loop<L, false>(c);
}

template <class L>
void second_moment_chunk(const AdamwChunk& c) {
  for (std::int64_t i = 0; i < c.count; i += kGroup)
    L::store(c.v + i, next_second<L>(c, L::load(c.g + i), L::load(c.v + i)));
}

template <class L>
void sgd_chunk(const SgdChunk& c) {
  const auto weight_decay = L::broadcast(c.weight_decay), minus_lr = L::broadcast(-c.lr);
  const auto momentum = L::broadcast(c.momentum), rest = L::broadcast(c.rest);
  for (std::int64_t i = 0; i < c.count; i += kGroup) {
    const auto theta = L::load(c.theta + i);
    const auto d = L::fma(weight_decay, theta, L::load(c.g + i));
    auto direction = d;
    if (c.m != nullptr) {
      const auto m = c.first ? d : L::fma(rest, d, L::mul(momentum, L::load(c.m + i)));
      L::store(c.m + i, m);
      direction = c.nesterov ? L::fma(momentum, m, d) : m;
    }
    L::store(c.theta + i, L::fma(minus_lr, direction, theta));
  }
}

// Plain loops that the compiler turns into vector code: no sum of floats, whose order it may not change.

inline void bounded_row(const float* last, float bound, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = last[i] < bound ? last[i] : bound;
}

// Magnitudes as integers, whose maximum may be taken in any order.
inline float raise_row(const float* x, std::int64_t count, float* last) {
  std::int32_t most = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t magnitude = __builtin_bit_cast(std::int32_t, x[i]) & 0x7FFFFFFF;
    const std::int32_t before = __builtin_bit_cast(std::int32_t, last[i]);
    last[i] = __builtin_bit_cast(float, magnitude > before ? magnitude : before);
    most = magnitude > most ? magnitude : most;
  }
  return __builtin_bit_cast(float, most);
}

inline void scaled_row(const float* last, float a, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = a * last[i];
}

// Eight partial sums, so that the order is one that vectors can follow.
inline double add_squares_row(const float* x, std::int64_t count, float offset, double* sums) {
  double partial[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int j = 0; j < 8; ++j) {
      const auto square = static_cast<double>(x[i + j] * x[i + j] + offset);
      sums[i + j] += square;
      partial[j] += square;
    }
  }
  for (; i < count; ++i) {
    const auto square = static_cast<double>(x[i] * x[i] + offset);
    sums[i] += square;
    partial[i % 8] += square;
  }
  return ((partial[0] + partial[1]) + (partial[2] + partial[3])) +
         ((partial[4] + partial[5]) + (partial[6] + partial[7]));
}

inline bool finite_row(const float* x, std::int64_t count) {
  std::int32_t most = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t magnitude = __builtin_bit_cast(std::int32_t, x[i]) & 0x7FFFFFFF;
    most = magnitude > most ? magnitude : most;
  }
  return most < 0x7F800000;
}

inline bool finite_bfloat16_row(const std::uint16_t* x, std::int64_t count) {
  std::int32_t most = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t magnitude = x[i] & 0x7FFF;
    most = magnitude > most ? magnitude : most;
  }
  return most < 0x7F80;
}

inline void widen_row(const std::uint16_t* x, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = __builtin_bit_cast(float, static_cast<std::uint32_t>(x[i]) << 16);
}

// A NaN stays one; an infinity has no bits to round; random bits never turn a finite number into a NaN.
inline void narrow_row(const float* x, std::int64_t count, const std::uint32_t* words, std::uint16_t* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = __builtin_bit_cast(std::uint32_t, x[i]);
    const std::uint32_t nearest = 0x7FFFU + ((bits >> 16) & 1U);
    const std::uint32_t added = words != nullptr ? words[i] >> 16 : nearest;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    const std::uint32_t rounded = magnitude == 0x7F800000U ? bits : bits + added;
    out[i] = static_cast<std::uint16_t>(magnitude > 0x7F800000U ? (bits >> 16) | 0x40U : rounded >> 16);
  }
}

}  // namespace
}  // namespace qzo::kernels
