#pragma once
// Panels of the layouts of packed_codes.h, in the order of a chunk plan.

#include <cstdint>

#include "cpu/late_variant.h"
#include "cpu/packed_codes.h"

namespace qzo::kernels {
namespace {

template <unsigned W, class Codes>
inline void unpack_codes(const PanelJob& job) {
  const Columns columns{job.column, job.count};
  const std::int32_t* source = job.plan.source;
  std::uint32_t* out = job.words;
  if (source == nullptr) return Codes::template unpack<W>(job.weight, columns, job.begin, job.end - job.begin, out);
  alignas(64) std::uint32_t codes[W];
  for (std::int64_t at = job.begin; at < job.end; at += 4, out += W) {
    for (unsigned n = 0; n < W; ++n) out[n] = 0;
    for (unsigned i = 0; i < 4; ++i) {
      if (source[at + i] < 0) continue;
      Codes::template one<W>(job.weight, columns, source[at + i], codes);
      for (unsigned n = 0; n < W; ++n) out[n] |= codes[n] << (8 * i);
    }
  }
}

}  // namespace
}  // namespace qzo::kernels
