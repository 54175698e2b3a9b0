#pragma once
// Element-wise loops over all threads. Pieces have a fixed size, so nothing depends on the number of threads.

#include <algorithm>
#include <cstdint>

#include "qzo/core/thread_pool.h"

namespace qzo::quant {

// body(begin, end) for consecutive ranges of [0, count).
template <class Body>
void for_chunks(std::int64_t count, const Body& body) {
  constexpr std::int64_t kChunk = 1 << 14;  // 64 KiB of fp32: far more work than handing out a piece costs
  if (count <= kChunk) {
    if (count > 0) body(std::int64_t{0}, count);
    return;
  }
  core::parallel_for((count + kChunk - 1) / kChunk,
                     [&](std::int64_t piece, int) { body(piece * kChunk, std::min(count, (piece + 1) * kChunk)); });
}

}  // namespace qzo::quant
