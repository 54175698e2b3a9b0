#pragma once
// Weights whose codes are fractions (bitsandbytes tables, AQLM), one at a time, by their definition.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "qzo/core/half.h"
#include "qzo/kernels/weight_view.h"

namespace qzo::kernels {
namespace {

inline float table_weight_at(const CodeView& w, const ScaleView& scale, std::int64_t n, std::int64_t k) {
  const std::int64_t flat = n * w.in + k;
  const int byte = std::to_integer<int>(w.codes[flat / 2]);
  return scale.scales[flat / w.group] * w.table[flat % 2 == 0 ? byte >> 4 : byte & 15];
}

inline float aqlm_weight_at(const CodeView& w, const ScaleView& scale, std::int64_t n, std::int64_t k) {
  const Codebooks& books = w.codebooks;
  float sum = 0;
  for (std::int64_t book = 0; book < books.books; ++book) {
    const std::int64_t at = (n * (w.in / 8) + k / 8) * books.books + book;
    std::uint16_t index = 0;
    const std::size_t width = books.bits <= 8 ? 1 : 2;
    std::memcpy(&index, w.codes + at * static_cast<std::int64_t>(width), width);
    const std::int64_t vectors = std::int64_t{1} << books.bits;
    std::uint16_t half;
    std::memcpy(&half, books.vectors + ((book * vectors + index % vectors) * 8 + k % 8) * 2, 2);
    sum += core::half_to_float(half);
  }
  return scale.scales[n] * sum;
}

}  // namespace
}  // namespace qzo::kernels
