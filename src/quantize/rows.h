#pragma once
// Outputs of a weight matrix side by side on all threads.

#include <algorithm>
#include <cstdint>

#include "qzo/core/thread_pool.h"
#include "qzo/quantize/grouped_codes.h"

namespace qzo::quantize {

inline constexpr std::int64_t kRowsPerPiece = 64;

// body(row) for every row.
template <class Body>
void for_rows(std::int64_t rows, const Body& body) {
  core::parallel_for((rows + kRowsPerPiece - 1) / kRowsPerPiece, [&](std::int64_t piece, int) {
    const std::int64_t end = std::min(rows, (piece + 1) * kRowsPerPiece);
    for (std::int64_t row = piece * kRowsPerPiece; row < end; ++row) body(row);
  });
}

// Codes and grids allocated, not chosen. Checks weight and group.
GroupedCodes empty_codes(const at::Tensor& weight, const GridRule& rule, std::int64_t group);

}  // namespace qzo::quantize
