#pragma once
// How a weight matrix W [out, in] lies in memory: pointers into the checkpoint's own bytes, nothing is repacked.
// Value of every layout: W[n,k] = scales[i] * code + offsets[i], with i the index of the scale that (n,k) belongs to.
// Scales and offsets are [out, in / group] unless said otherwise; quant expands them where the file's own are coarser.
// Layouts are drawn in include/qzo/quant/formats/*.h.

#include <cstddef>
#include <cstdint>

namespace qzo::kernels {

enum class Layout : std::uint8_t {
  kDenseF32,   // float    [out, in]; scales unused
  kDenseF16,   // IEEE half [out, in]
  kDenseBF16,  // bfloat16 [out, in]
  kGptq4,  // int32 [in/8, out], nibble j of a word is input row 8*i + j; code = q - zeros[g, n]; scales [groups, out]
  kGptq2,  // as kGptq4 with b = 2, 3 or 8: int32 [in*b/32, out], input k begins at bit k*b of its column's words
  kGptq3,
  kGptq8,
  kAwq4,   // int32 [in, out/8], outputs 0, 2, 4, 6, 1, 3, 5, 7 of eight from the low nibble up; else as kGptq4
  kRows4,  // nibbles [out, in], low first; code = q - zeros[g, n]; scales [out, groups]
  kRows8,  // the same with bytes
  kHqq4,   // bytes [out/2, in]: high nibbles outputs [0, out/2), low ones the rest; scales and offsets [out, groups]
  kHqq8,   // the same with a byte for each code, [out, in]
  kHqq4Axis0,  // codes as kHqq4; `group` counts outputs: scales and offsets [out/group, in], of output n mod out/group
  kHqq8Axis0,
  kQ4_0,    // 18-byte blocks of 32 along `in`; code = q - 8; scales [out, in/32]
  kQ4_1,    // 20-byte blocks; code = q; scales and offsets [out, in/32]
  kQ8_0,    // 34-byte blocks; code = int8; scales [out, in/32]
  kQ5_0,    // 22-byte blocks; code = q - 16
  kQ5_1,    // 24-byte blocks; code = q; with offsets
  kQ4_K,    // 144-byte blocks of 256, a scale and an offset for each 32; code = q
  kQ5_K,    // 176-byte blocks of 256, the same
  kQ6_K,    // 210-byte blocks of 256, a scale for each 16; code = q - 32
  kTable4,  // bitsandbytes: nibbles of the flat matrix, the earlier input high; code = table[nibble]
  kAqlm,    // indices [out, in/8, books], 8 or 16 bits; code = sum of the books' vectors; scales [out, 1]
};

// Whether codes are fractions, hence no operands of an integer product.
constexpr bool has_float_codes(Layout layout) { return layout == Layout::kTable4 || layout == Layout::kAqlm; }

// AQLM: vectors of 8 inputs, IEEE half [books, 2^bits, 8]; a stored index counts modulo 2^bits.
struct Codebooks {
  const std::byte* vectors = nullptr;  // may be unaligned
  std::int32_t books = 0;
  std::int32_t bits = 0;  // indices take 1 byte up to 8, otherwise 2
};

// Whether W has an offset besides its scale.
constexpr bool has_offsets(Layout layout) {
  return layout == Layout::kQ4_1 || layout == Layout::kQ5_1 || layout == Layout::kQ4_K || layout == Layout::kQ5_K ||
         (layout >= Layout::kHqq4 && layout <= Layout::kHqq8Axis0);
}
// Whether scales lie as [groups, out]; otherwise as [out, groups].
constexpr bool scales_by_group(Layout layout) { return layout >= Layout::kGptq4 && layout <= Layout::kAwq4; }
// Whether groups run over outputs: every input has scales of its own.
constexpr bool groups_of_outputs(Layout layout) { return layout == Layout::kHqq4Axis0 || layout == Layout::kHqq8Axis0; }
// Bits of an unsigned code in the layouts kGptq4 to kHqq8Axis0; 0 for others.
constexpr int packed_bits(Layout layout) {
  if (layout < Layout::kGptq4 || layout > Layout::kHqq8Axis0) return 0;
  if (layout == Layout::kGptq2) return 2;
  if (layout == Layout::kGptq3) return 3;
  const bool bytes =
      layout == Layout::kGptq8 || layout == Layout::kRows8 || layout == Layout::kHqq8 || layout == Layout::kHqq8Axis0;
  return bytes ? 8 : 4;
}

struct CodeView {
  Layout layout = Layout::kDenseF32;
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t group = 0;            // weights along `in` that share a scale; 0 for dense. The last group may be short
  const std::byte* codes = nullptr;  // may be unaligned (GGUF blocks, safetensors)
  const std::uint8_t* zeros = nullptr;  // true zero points [groups, out]; null: all of them are `zero`
  std::int32_t zero = 0;
  const std::int32_t* group_of = nullptr;  // desc_act: group of each input [in]; null = k / group
  const float* table = nullptr;            // kTable4: [16]
  Codebooks codebooks = {};                // kAqlm
};

struct ScaleView {
  const float* scales = nullptr;   // null for dense layouts
  const float* offsets = nullptr;  // has_offsets(layout) only: the effective minimum of each group
};

constexpr std::int64_t groups_along_input(const CodeView& weight) {
  return (weight.in + weight.group - 1) / weight.group;
}

// How many scales there are, and which of them W[n, k] has. 0 for dense layouts.
constexpr std::int64_t scale_count(const CodeView& weight) {
  if (weight.group == 0) return 0;
  return groups_of_outputs(weight.layout) ? weight.out / weight.group * weight.in
                                          : groups_along_input(weight) * weight.out;
}
constexpr std::int64_t scale_index(const CodeView& weight, std::int64_t n, std::int64_t k) {
  if (weight.group == 0) return 0;
  if (groups_of_outputs(weight.layout)) return n % (weight.out / weight.group) * weight.in + k;
  const std::int64_t group = weight.group_of != nullptr ? weight.group_of[k] : k / weight.group;
  return scales_by_group(weight.layout) ? group * weight.out + n : n * groups_along_input(weight) + group;
}

}  // namespace qzo::kernels
