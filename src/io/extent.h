#pragma once
// Sizes computed from numbers in a file, with every overflow noticed.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "qzo/core/dtype.h"

namespace qzo::io {

inline std::optional<std::uint64_t> checked_product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

inline std::optional<std::uint64_t> checked_sum(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

// Bytes of a tensor of `dtype`; nullopt if the dimensions multiply past 2^63, the zero ones left out (so that nobody
// who multiplies them later, in any order, overflows). Precondition: the fastest dimension is a multiple of the block.
inline std::optional<std::uint64_t> tensor_bytes(std::span<const std::int64_t> shape, core::Dtype dtype) {
  std::uint64_t elements = 1;
  bool empty = false;
  for (const std::int64_t dimension : shape) {
    if (dimension == 0) {
      empty = true;
      continue;
    }
    const auto product = checked_product(elements, static_cast<std::uint64_t>(dimension));
    if (!product || *product > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return std::nullopt;
    elements = *product;
  }
  if (empty) return 0;
  const core::DtypeInfo& info = core::dtype_info(dtype);
  return checked_product(elements / static_cast<std::uint64_t>(info.block),
                         static_cast<std::uint64_t>(info.block_bytes));
}

}  // namespace qzo::io
