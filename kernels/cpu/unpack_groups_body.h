#pragma once
// fp32 panels of the layouts whose codes come from the unpackers of the scale-late kernels: codes first, then the scale
// (and offset) of each group.

#include "qzo/kernels/quant_matmul.h"

#include "cpu/late_unpack_values.h"
#include "cpu/tail.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

// Of one group [out, in / group], lane j = row j of the panel.
template <class L>
inline typename L::Floats group_lanes(const float* values, const CodeView& weight, const PanelRange& range,
                                      std::int64_t group) {
  alignas(64) float lanes[kLanes];
  const std::int64_t groups = weight.in / weight.group;
  for (std::int64_t row = 0; row < kLanes; ++row)
    lanes[row] = row < range.count ? values[(range.row + row) * groups + group] : 0.0F;
  return L::load(lanes);
}

// body(s, offset, first, last) for the inputs of each group, counted from the panel's first.
template <class L, class Body>
inline void for_groups(const CodeView& weight, const ScaleView& scale, const PanelRange& range, Body body) {
  for (std::int64_t done = 0; done < range.depth;) {
    const std::int64_t group = (range.k + done) / weight.group;
    const std::int64_t left = (group + 1) * weight.group - range.k;
    const std::int64_t end = left < range.depth ? left : range.depth;
    const typename L::Floats s = group_lanes<L>(scale.scales, weight, range, group);
    body(s, has_offsets(weight.layout) ? group_lanes<L>(scale.offsets, weight, range, group) : L::zero(), done, end);
    done = end;
  }
}

inline PanelJob panel_job(const CodeView& weight, const PanelRange& range, std::uint32_t* words) {
  return {.weight = weight,
          .plan = {},
          .column = range.row,
          .count = range.count,
          .first_chunk = 0,
          .chunks = 0,
          .begin = range.k,
          .end = range.k + range.depth,
          .words = words,
          .panel = nullptr};
}

template <class L, bool kOffsets>
inline void unpack_integer_groups(const CodeView& weight, const ScaleView& scale, const PanelRange& range,
                                  float* panel) {
  using Floats = typename L::Floats;
  alignas(64) std::uint32_t words[kDepth / 4 * kLanes];
  unpack_words<kLanes>(panel_job(weight, range, words));
  const Floats zero = L::broadcast(static_cast<float>(constant_zero(weight)));
  const typename L::Words mask = L::broadcast_word(255);
  for_groups<L>(weight, scale, range, [&](Floats s, Floats offset, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const typename L::Words word = L::load_words(words + i / 4 * kLanes);
      const Floats q = L::signed_to_float(L::bit_and(L::shift_right(word, static_cast<int>(i % 4 * 8)), mask));
      L::store(panel + i * kLanes, kOffsets ? L::fma(s, q, offset) : L::mul(s, L::sub(q, zero)));
    }
  });
}

template <class L>
inline void unpack_value_groups(const CodeView& weight, const ScaleView& scale, const PanelRange& range, float* panel) {
  using Floats = typename L::Floats;
  unpack_values<L, kLanes>(panel_job(weight, range, nullptr), panel);
  for_groups<L>(weight, scale, range, [&](Floats s, Floats, std::int64_t begin, std::int64_t end) {
    for (float* out = panel + begin * kLanes; out < panel + end * kLanes; out += kLanes)
      L::store(out, L::mul(s, L::load(out)));
  });
}

}  // namespace
}  // namespace qzo::kernels
