#pragma once
// How a weight matrix W [out, in] lies in memory: pointers into the checkpoint's own bytes, nothing is repacked.
// Value of every layout: W[n,k] = scales[i] * code + offsets[i], with i the index of the scale that (n,k) belongs to.
// Layouts are drawn in include/qzo/quant/formats/*.h.

#include <cstddef>
#include <cstdint>

namespace qzo::kernels {

enum class Layout : std::uint8_t {
  kDenseF32,   // float    [out, in]; scales unused
  kDenseF16,   // IEEE half [out, in]
  kDenseBF16,  // bfloat16 [out, in]
  kGptq4,  // int32 [in/8, out], nibble j of a word is input row 8*i + j; code = q - zeros[g, n]; scales [groups, out]
  kQ4_0,   // 18-byte blocks of 32 along `in`; code = q - 8; scales [out, in/32]
  kQ4_1,   // 20-byte blocks; code = q; scales and offsets [out, in/32]
  kQ8_0,   // 34-byte blocks; code = int8; scales [out, in/32]
};

struct CodeView {
  Layout layout = Layout::kDenseF32;
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t group = 0;  // weights along `in` that share a scale; 0 for dense. GPTQ: last group may be short
  const std::byte* codes = nullptr;     // may be unaligned (GGUF blocks, safetensors)
  const std::uint8_t* zeros = nullptr;  // GPTQ: true zero points [groups, out]; null: all of them are `zero`
  std::int32_t zero = 0;
  const std::int32_t* group_of = nullptr;  // GPTQ desc_act: group of each input [in]; null = k / group
};

struct ScaleView {
  const float* scales = nullptr;   // null for dense layouts
  const float* offsets = nullptr;  // Q4_1 only: the effective minimum of each block
};

}  // namespace qzo::kernels
