#pragma once
// Norms and log-sum-exp over one row. Lane sums run over every sixteenth element; missing lanes of the last
// vector are neutral.

#include <cstdint>

#include "cpu/exp.h"
#include "cpu/log.h"
#include "cpu/tail.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

// Sum of squares in fp32: sixteen chains of width/16 links and a tree.
template <class L>
void rms_norm_rows(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* out) {
  using Floats = typename L::Floats;
  for (std::int64_t row = 0; row < rows; ++row, x += width, out += width) {
    Floats sum = L::zero();
    for (std::int64_t i = 0; i < width; i += kLanes) {
      const Floats v = load_some<L>(x + i, width - i);
      sum = L::fma(v, v, sum);
    }
    const float mean = L::reduce_add(sum) / static_cast<float>(width);
    const Floats inverse = L::broadcast(1.0F / __builtin_sqrtf(mean + eps));
    for (std::int64_t i = 0; i < width; i += kLanes) {
      const Floats normed = L::mul(load_some<L>(x + i, width - i), inverse);
      store_some<L>(out + i, L::mul(normed, load_some<L>(weight + i, width - i)), width - i);
    }
  }
}

// Mean first, then the squares of what differs from it: no digits are lost where the mean is large.
template <class L>
void layer_norm_rows(const float* x, const float* weight, const float* bias, float eps, std::int64_t rows,
                     std::int64_t width, float* out) {
  using Floats = typename L::Floats;
  for (std::int64_t row = 0; row < rows; ++row, x += width, out += width) {
    Floats sum = L::zero();
    for (std::int64_t i = 0; i < width; i += kLanes) sum = L::add(sum, load_some<L>(x + i, width - i));
    const float mean = L::reduce_add(sum) / static_cast<float>(width);
    const Floats middle = L::broadcast(mean);
    Floats squares = L::zero();
    for (std::int64_t i = 0; i < width; i += kLanes) {
      const Floats v = L::sub(load_some<L>(x + i, width - i, mean), middle);
      squares = L::fma(v, v, squares);
    }
    const float variance = L::reduce_add(squares) / static_cast<float>(width);
    const Floats inverse = L::broadcast(1.0F / __builtin_sqrtf(variance + eps));
    for (std::int64_t i = 0; i < width; i += kLanes) {
      const Floats normed = L::mul(L::sub(load_some<L>(x + i, width - i), middle), inverse);
      const Floats scale = load_some<L>(weight + i, width - i);
      const Floats shift = bias == nullptr ? L::zero() : load_some<L>(bias + i, width - i);
      store_some<L>(out + i, L::fma(normed, scale, shift), width - i);
    }
  }
}

template <class L>
inline float maximum(const float* x, std::int64_t count) {
  constexpr float kLowest = -__builtin_inff();
  typename L::Floats highest = L::broadcast(kLowest);
  for (std::int64_t i = 0; i < count; i += kLanes) highest = L::max(highest, load_some<L>(x + i, count - i, kLowest));
  return L::reduce_max(highest);
}

// Stretches of 1024 elements in fp32 lanes, their sums in double: a vocabulary of 10^5 tokens loses no digits.
template <class L>
float log_sum_exp_of(const float* x, std::int64_t count) {
  constexpr std::int64_t kStretch = 1024;
  const float highest = maximum<L>(x, count);
  double total = 0;
  for (std::int64_t begin = 0; begin < count; begin += kStretch) {
    const std::int64_t end = count - begin < kStretch ? count : begin + kStretch;
    typename L::Floats sum = L::zero();
    for (std::int64_t i = begin; i < end; i += kLanes) {
      const typename L::Floats v = load_some<L>(x + i, end - i, -__builtin_inff());
      sum = L::add(sum, exp_lanes<L>(L::sub(v, L::broadcast(highest))));
    }
    total += static_cast<double>(L::reduce_add(sum));
  }
  return static_cast<float>(static_cast<double>(highest) + log_of(total));
}

}  // namespace
}  // namespace qzo::kernels
