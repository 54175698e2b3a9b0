#pragma once
// kBf16 and kBf16x2 for CPUs without bf16 products: the rounded activations and the integers as fp32, fused
// multiply-adds in one chain for each chunk, then one by the chunk's scale.

#include "cpu/late_rows_body.h"
#include "cpu/late_unpack_values.h"
#include "cpu/late_variant.h"
#include "cpu/tail.h"

namespace qzo::kernels {
namespace {

// Fractions are rounded as the activations are; with two parts of those they stay as they are.
template <class L, bool kTwoParts>
void unpack_value_panel(const PanelJob& job) {
  auto* panel = static_cast<float*>(job.panel);
  unpack_values<L, kLanes>(job, panel);
  if constexpr (kTwoParts) return;
  for (float* end = panel + (job.end - job.begin) * kLanes; panel < end; panel += kLanes)
    L::store(panel, to_bfloat16<L>(L::load(panel)));
}

template <class L, bool kTwoParts>
void unpack_float_panel(const PanelJob& job) {
  constexpr unsigned kWidth = kLanes;
  if (has_float_codes(job.weight.layout)) return unpack_value_panel<L, kTwoParts>(job);
  unpack_words<kWidth>(job);
  auto* panel = static_cast<float*>(job.panel);
  for_chunks_with_zeros<kWidth>(job, [&](std::int64_t first, std::int64_t words, const std::int32_t* zeros) {
    for (std::int64_t w = first; w < first + words; ++w)
      for (unsigned i = 0; i < 4; ++i) {
        float* out = panel + (w * 4 + i) * kWidth;
        for (unsigned n = 0; n < kWidth; ++n)
          out[n] = static_cast<float>(code_of(job.words[w * kWidth + n], i) - zeros[n]);
      }
  });
}

template <class L, unsigned R>
inline void late_float_tile(const LateTile& tile, std::int64_t row) {
  using Floats = typename L::Floats;
  const std::byte* x = tile.x + row * tile.row_bytes;
  float* y = tile.y + row * tile.ldy;
  Floats sum[R];
#pragma GCC unroll 8
  for (unsigned r = 0; r < R; ++r)
    sum[r] = tile.from == nullptr ? L::zero() : load_some<L>(tile.from + (row + r) * tile.from_stride, tile.columns);
  const auto* w = static_cast<const float*>(tile.panel);
  const float* activations[R];
#pragma GCC unroll 8
  for (unsigned r = 0; r < R; ++r)
    activations[r] = reinterpret_cast<const float*>(x + r * tile.row_bytes + tile.activations);
  std::int64_t k = 0;
  for (std::int64_t c = 0; c < tile.chunks; ++c) {
    Floats part[R];
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r) part[r] = L::zero();
    for (const std::int64_t end = k + tile.length[c]; k < end; ++k, w += kLanes) {
      const Floats column = L::load(w);
#pragma GCC unroll 8
      for (unsigned r = 0; r < R; ++r) part[r] = L::fma(L::broadcast(activations[r][k]), column, part[r]);
    }
    const Floats scale = L::load(tile.weight_scales + c * kLanes);
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r) sum[r] = L::fma(part[r], scale, sum[r]);
    if (tile.weight_offsets == nullptr) continue;
    const Floats offset = L::load(tile.weight_offsets + c * kLanes);
#pragma GCC unroll 8
    for (unsigned r = 0; r < R; ++r) {
      const auto* sums = reinterpret_cast<const float*>(x + r * tile.row_bytes + tile.sums);
      sum[r] = L::fma(L::broadcast(sums[c]), offset, sum[r]);
    }
  }
#pragma GCC unroll 8
  for (unsigned r = 0; r < R; ++r) {
    const Floats out = tile.bias != nullptr ? L::add(sum[r], L::load(tile.bias)) : sum[r];
    store_some<L>(y + r * tile.ldy, out, tile.columns);
  }
}

template <class L>
void late_float(const LateTile& tile) {
  constexpr unsigned kRows = L::kTileRows / 2;  // a chunk's sums and the sums over chunks share the registers
  std::int64_t row = 0;
  for (; row + kRows <= tile.rows; row += kRows) late_float_tile<L, kRows>(tile, row);
  for (; row < tile.rows; ++row) late_float_tile<L, 1>(tile, row);
}

template <class L, bool kTwoParts>
inline constexpr LateKernel kLateFloat{kLanes,
                                       sizeof(float),
                                       sizeof(float),
                                       kTwoParts,
                                       &prepare_floats<L, kTwoParts>,
                                       &unpack_float_panel<L, kTwoParts>,
                                       &late_float<L>};

template <class L>
const LateKernel& late_float_of(LateInputs inputs) {
  return inputs == LateInputs::kBf16x2 ? kLateFloat<L, true> : kLateFloat<L, false>;
}

}  // namespace
}  // namespace qzo::kernels
