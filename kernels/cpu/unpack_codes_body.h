#pragma once
// The layouts of packed_codes.h to a panel [depth][16] of fp32.

#include <cstdint>

#include "cpu/group_cursor.h"
#include "cpu/packed_codes.h"
#include "cpu/tail.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

// Scale and zero point (or offset) of ascending inputs, one lane an output of the panel.
template <class L, bool kOffsets>
class LaneScales {
 public:
  using Floats = typename L::Floats;

  LaneScales(const CodeView& weight, const ScaleView& view, const PanelRange& range)
      : weight_(weight),
        view_(view),
        range_(range),
        cursor_(weight, range.k),
        zero_(L::broadcast(static_cast<float>(weight.zero))) {
    if (scales_by_group(weight.layout)) return;
    const bool by_input = groups_of_outputs(weight.layout);
    const std::int64_t rows = by_input ? weight.out / weight.group : weight.out;
    const std::int64_t row_values = by_input ? weight.in : groups_along_input(weight);
    for (std::int64_t j = 0; j < range.count; ++j) first_[j] = (range.row + j) % rows * row_values;
  }

  // W of input k, whose codes are `q`. Each k once, in ascending order.
  Floats weights(std::int64_t k, Floats q) {
    const std::int64_t group = groups_of_outputs(weight_.layout) ? k : cursor_.at(k);
    if (group != loaded_) load(group);
    if constexpr (kOffsets) return L::fma(scale_, q, zero_);
    return L::mul(scale_, L::sub(q, zero_));
  }

 private:
  void load(std::int64_t group) {
    scale_ = lanes(view_.scales, group);
    if constexpr (kOffsets) {
      zero_ = lanes(view_.offsets, group);
    } else if (weight_.zeros != nullptr) {
      zero_ = widen_zeros<L>(weight_.zeros + group * weight_.out + range_.row, range_.count);
    }
    loaded_ = group;
  }

  Floats lanes(const float* values, std::int64_t group) const {
    if (scales_by_group(weight_.layout)) return load_some<L>(values + group * weight_.out + range_.row, range_.count);
    alignas(64) float gathered[kLanes] = {};
    for (std::int64_t j = 0; j < range_.count; ++j) gathered[j] = values[first_[j] + group];
    return L::load(gathered);
  }

  const CodeView& weight_;
  const ScaleView& view_;
  const PanelRange& range_;
  GroupCursor cursor_;
  Floats scale_ = L::zero();
  Floats zero_;  // or the offset
  std::int64_t loaded_ = -1;
  std::int64_t first_[kLanes] = {};  // value of group 0 of each lane, where scales lie [out, groups]
};

template <class L, class Codes, bool kOffsets = false>
inline void unpack_packed(const CodeView& weight, const ScaleView& scale, const PanelRange& range, float* panel) {
  constexpr std::int64_t kRun = 32;
  const typename L::Words mask = L::broadcast_word(255);
  LaneScales<L, kOffsets> scales(weight, scale, range);
  for (std::int64_t k = range.k, end = range.k + range.depth; k < end; k += kRun) {
    const std::int64_t inputs = end - k < kRun ? end - k : kRun;
    alignas(64) std::uint32_t words[kRun / 4 * kLanes];
    Codes::template unpack<kLanes>(weight, {range.row, range.count}, k, inputs, words);
    for (std::int64_t i = 0; i < inputs; ++i, panel += kLanes) {
      const typename L::Words word = L::load_words(words + i / 4 * kLanes);
      const auto codes = L::bit_and(L::shift_right(word, static_cast<int>(i % 4 * 8)), mask);
      L::store(panel, scales.weights(k + i, L::signed_to_float(codes)));
    }
  }
}

}  // namespace
}  // namespace qzo::kernels
