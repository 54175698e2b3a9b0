#pragma once
// One function per layout: codes and scales to a panel [depth][16] of fp32, lane j = row j of the panel. Drawings of
// the layouts: include/qzo/quant/formats/*.h.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/group_cursor.h"
#include "cpu/tail.h"
#include "cpu/unpack_codes_body.h"
#include "cpu/unpack_groups_body.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

// Elements [0, width) of `count` rows that lie `row_bytes` apart, as columns[width][16]; missing rows become 0.
template <class T>
inline void gather_columns(const std::byte* first, std::int64_t row_bytes, std::int64_t count, std::int64_t width,
                           T* columns) {
  if (count < kLanes) std::memset(columns, 0, static_cast<std::size_t>(width * kLanes) * sizeof(T));
  for (std::int64_t row = 0; row < count; ++row) {
    const std::byte* source = first + row * row_bytes;
    for (std::int64_t i = 0; i < width; ++i)
      std::memcpy(columns + i * kLanes + row, source + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  }
}

// The scales (or offsets) [out, in/32] of one block column.
template <class L>
inline typename L::Floats block_scales(const float* values, const CodeView& weight, const PanelRange& range,
                                       std::int64_t block) {
  alignas(64) float lanes[kLanes];
  const std::int64_t blocks = weight.in / 32;
  for (std::int64_t row = 0; row < kLanes; ++row)
    lanes[row] = row < range.count ? values[(range.row + row) * blocks + block] : 0.0F;
  return L::load(lanes);
}

// Q4_0 (code q - 8) and Q4_1 (scale q + offset): 16 bytes a block, low nibbles are inputs 0 to 15, high ones 16 to 31.
template <class L, Layout layout>
inline void unpack_q4(const CodeView& weight, const ScaleView& scale, const PanelRange& range, float* panel) {
  using Floats = typename L::Floats;
  constexpr std::int64_t kHeader =
      layout == Layout::kQ4_1 ? 4 : 2;  // f16 d, Q4_1 also f16 m: not read, masters are used
  constexpr std::int64_t kBlockBytes = kHeader + 16;
  const std::int64_t row_bytes = weight.in / 32 * kBlockBytes;
  const typename L::Words mask = L::broadcast_word(15);
  const Floats eight = L::broadcast(8.0F);
  for (std::int64_t k = range.k; k < range.k + range.depth; k += 32, panel += 32 * kLanes) {
    const std::int64_t block = k / 32;
    alignas(64) std::uint32_t words[4 * kLanes];
    gather_columns(weight.codes + range.row * row_bytes + block * kBlockBytes + kHeader, row_bytes, range.count, 4,
                   words);
    const Floats s = block_scales<L>(scale.scales, weight, range, block);
    Floats offset = L::zero();
    if constexpr (layout == Layout::kQ4_1) offset = block_scales<L>(scale.offsets, weight, range, block);
    for (int half = 0; half < 2; ++half)
      for (int i = 0; i < 16; ++i) {
        const typename L::Words word = L::load_words(words + i / 4 * kLanes);
        const Floats q = L::signed_to_float(L::bit_and(L::shift_right(word, i % 4 * 8 + half * 4), mask));
        const Floats w = layout == Layout::kQ4_1 ? L::fma(s, q, offset) : L::mul(s, L::sub(q, eight));
        L::store(panel + (half * 16 + i) * kLanes, w);
      }
  }
}

template <class L>
inline void unpack_q8(const CodeView& weight, const ScaleView& scale, const PanelRange& range, float* panel) {
  constexpr std::int64_t kBlockBytes = 34;
  const std::int64_t row_bytes = weight.in / 32 * kBlockBytes;
  for (std::int64_t k = range.k; k < range.k + range.depth; k += 32, panel += 32 * kLanes) {
    const std::int64_t block = k / 32;
    alignas(64) std::uint32_t words[8 * kLanes];
    gather_columns(weight.codes + range.row * row_bytes + block * kBlockBytes + 2, row_bytes, range.count, 8, words);
    const typename L::Floats s = block_scales<L>(scale.scales, weight, range, block);
    for (int i = 0; i < 32; ++i) {
      const typename L::Words word = L::load_words(words + i / 4 * kLanes);
      const typename L::Words code = L::shift_right_signed(L::shift_left(word, 24 - i % 4 * 8), 24);
      L::store(panel + i * kLanes, L::mul(s, L::signed_to_float(code)));
    }
  }
}

template <class L>
inline void unpack_gptq(const CodeView& weight, const ScaleView& scale, const PanelRange& range, float* panel) {
  using Floats = typename L::Floats;
  const typename L::Words mask = L::broadcast_word(15);
  GroupCursor cursor(weight, range.k);
  std::int64_t loaded = -1;
  Floats s = L::zero();
  Floats zero = L::broadcast(static_cast<float>(weight.zero));
  for (std::int64_t k = range.k; k < range.k + range.depth; k += 8) {
    alignas(64) std::uint32_t lanes[kLanes] = {};
    std::memcpy(lanes, weight.codes + (k / 8 * weight.out + range.row) * 4, static_cast<std::size_t>(range.count) * 4);
    const typename L::Words words = L::load_words(lanes);
    for (int j = 0; j < 8; ++j, panel += kLanes) {
      const std::int64_t group = cursor.at(k + j);
      if (group != loaded) {
        s = load_some<L>(scale.scales + group * weight.out + range.row, range.count);
        if (weight.zeros != nullptr) zero = widen_zeros<L>(weight.zeros + group * weight.out + range.row, range.count);
        loaded = group;
      }
      const Floats q = L::signed_to_float(L::bit_and(L::shift_right(words, j * 4), mask));
      L::store(panel, L::mul(s, L::sub(q, zero)));
    }
  }
}

template <class L>
inline void unpack_f32(const CodeView& weight, const PanelRange& range, float* panel) {
  const std::byte* first = weight.codes + (range.row * weight.in + range.k) * 4;
  gather_columns(first, weight.in * 4, range.count, range.depth, panel);
}

// Both 16-bit types, 32 inputs at a time so that each row's cache line is read once.
template <class L, Layout layout>
inline void unpack_16bit(const CodeView& weight, const PanelRange& range, float* panel) {
  constexpr std::int64_t kWidth = 32;
  alignas(64) std::uint16_t columns[kWidth * kLanes];
  for (std::int64_t done = 0; done < range.depth; done += kWidth) {
    const std::int64_t width = range.depth - done < kWidth ? range.depth - done : kWidth;
    const std::byte* first = weight.codes + (range.row * weight.in + range.k + done) * 2;
    gather_columns(first, weight.in * 2, range.count, width, columns);
    for (std::int64_t i = 0; i < width; ++i, panel += kLanes) {
      const std::uint16_t* column = columns + i * kLanes;
      L::store(panel, layout == Layout::kDenseF16 ? L::load_half(column) : L::load_bfloat16(column));
    }
  }
}

template <class L>
void unpack_panel(const CodeView& weight, const ScaleView& scale, const PanelRange& range, float* panel) {
  switch (weight.layout) {
    case Layout::kDenseF32:
      return unpack_f32<L>(weight, range, panel);
    case Layout::kDenseF16:
      return unpack_16bit<L, Layout::kDenseF16>(weight, range, panel);
    case Layout::kDenseBF16:
      return unpack_16bit<L, Layout::kDenseBF16>(weight, range, panel);
    case Layout::kGptq4:
      return unpack_gptq<L>(weight, scale, range, panel);
    case Layout::kGptq2:
      return unpack_packed<L, GptqCodes<2>>(weight, scale, range, panel);
    case Layout::kGptq3:
      return unpack_packed<L, GptqCodes<3>>(weight, scale, range, panel);
    case Layout::kGptq8:
      return unpack_packed<L, GptqCodes<8>>(weight, scale, range, panel);
    case Layout::kAwq4:
      return unpack_packed<L, AwqCodes>(weight, scale, range, panel);
    case Layout::kRows4:
      return unpack_packed<L, RowCodes<NibbleRow>>(weight, scale, range, panel);
    case Layout::kRows8:
      return unpack_packed<L, RowCodes<ByteRow>>(weight, scale, range, panel);
    case Layout::kHqq4:
    case Layout::kHqq4Axis0:
      return unpack_packed<L, RowCodes<HalvesRow>, true>(weight, scale, range, panel);
    case Layout::kHqq8:
    case Layout::kHqq8Axis0:
      return unpack_packed<L, RowCodes<ByteRow>, true>(weight, scale, range, panel);
    case Layout::kQ4_0:
      return unpack_q4<L, Layout::kQ4_0>(weight, scale, range, panel);
    case Layout::kQ4_1:
      return unpack_q4<L, Layout::kQ4_1>(weight, scale, range, panel);
    case Layout::kQ8_0:
      return unpack_q8<L>(weight, scale, range, panel);
    case Layout::kQ5_0:
    case Layout::kQ6_K:
      return unpack_integer_groups<L, false>(weight, scale, range, panel);
    case Layout::kQ5_1:
    case Layout::kQ4_K:
    case Layout::kQ5_K:
      return unpack_integer_groups<L, true>(weight, scale, range, panel);
    case Layout::kTable4:
    case Layout::kAqlm:
      return unpack_value_groups<L>(weight, scale, range, panel);
  }
}

}  // namespace
}  // namespace qzo::kernels
