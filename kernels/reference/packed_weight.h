#pragma once
// W[n, k] of the layouts kGptq2 to kHqq8Axis0, a bit at a time by their definition.

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "qzo/kernels/weight_view.h"

namespace qzo::kernels {
namespace {

// `bits` bits of the little-endian stream `bytes`, from `first` on.
inline int bits_of_stream(const std::byte* bytes, std::int64_t first, int bits) {
  int value = 0;
  for (int i = 0; i < bits; ++i) {
    const std::int64_t at = first + i;
    value |= (std::to_integer<int>(bytes[at / 8]) >> (at % 8) & 1) << i;
  }
  return value;
}

inline int packed_code(const CodeView& w, std::int64_t n, std::int64_t k) {
  // Bit b of GPTQ's column n stands in word b / 32 of the column.
  const auto gptq = [&](int bits) {
    int value = 0;
    for (int i = 0; i < bits; ++i) {
      const std::int64_t at = k * bits + i;
      value |= bits_of_stream(w.codes, (at / 32 * w.out + n) * 32 + at % 32, 1) << i;
    }
    return value;
  };
  switch (w.layout) {
    case Layout::kGptq2:
      return gptq(2);
    case Layout::kGptq3:
      return gptq(3);
    case Layout::kGptq8:
      return gptq(8);
    case Layout::kAwq4: {
      const std::int64_t nibble = n % 2 == 0 ? n % 8 / 2 : 4 + n % 8 / 2;
      return bits_of_stream(w.codes, (k * w.out + n / 8 * 8 + nibble) * 4, 4);
    }
    case Layout::kRows4:
      return bits_of_stream(w.codes, (n * w.in + k) * 4, 4);
    case Layout::kHqq4:
    case Layout::kHqq4Axis0: {
      const std::int64_t half = w.out * w.in / 2, at = n * w.in + k;
      return bits_of_stream(w.codes, at < half ? at * 8 + 4 : (at - half) * 8, 4);
    }
    default:
      return bits_of_stream(w.codes, (n * w.in + k) * 8, 8);
  }
}

inline float packed_weight_at(const CodeView& w, const ScaleView& scale, std::int64_t n, std::int64_t k) {
  const std::int64_t group = w.group_of != nullptr ? w.group_of[k] : k / w.group;
  const auto code = static_cast<float>(packed_code(w, n, k));
  const std::int64_t i = scale_index(w, n, k);
  if (has_offsets(w.layout)) return std::fma(scale.scales[i], code, scale.offsets[i]);
  return scale.scales[i] * (code - static_cast<float>(w.zeros != nullptr ? w.zeros[group * w.out + n] : w.zero));
}

}  // namespace
}  // namespace qzo::kernels
