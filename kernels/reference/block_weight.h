#pragma once
// Weights of the GGUF blocks with more than four bits and of the K-quants, one at a time, by their definition.

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "qzo/kernels/weight_view.h"

namespace qzo::kernels {
namespace {

inline int bits_of_byte(const std::byte* at, std::int64_t shift, int mask) {
  return std::to_integer<int>(*at) >> shift & mask;
}

// `header`: bytes in front of the four bytes of fifth bits.
inline int code_of_q5(const std::byte* block, std::int64_t header, std::int64_t i) {
  const int fifth = bits_of_byte(block + header + i / 8, i % 8, 1);
  return bits_of_byte(block + header + 4 + i % 16, i / 16 * 4, 15) | fifth << 4;
}

inline int code_of_q4_k(const std::byte* nibbles, std::int64_t i) {
  return bits_of_byte(nibbles + i / 64 * 32 + i % 32, i / 32 % 2 * 4, 15);
}

inline int code_of_q5_k(const std::byte* block, std::int64_t i) {
  return code_of_q4_k(block + 48, i) | bits_of_byte(block + 16 + i % 32, i / 32, 1) << 4;
}

inline int code_of_q6_k(const std::byte* block, std::int64_t i) {
  const std::int64_t half = i / 128, quarter = i % 128 / 32, l = i % 32;
  const int low = bits_of_byte(block + 64 * half + l + quarter % 2 * 32, quarter / 2 * 4, 15);
  return low | bits_of_byte(block + 128 + 32 * half + l, 2 * quarter, 3) << 4;
}

inline float block_weight_at(const CodeView& w, const ScaleView& scale, std::int64_t n, std::int64_t k) {
  const std::int64_t group = n * (w.in / w.group) + k / w.group;
  const std::byte* block32 = w.codes + (n * (w.in / 32) + k / 32) * (w.layout == Layout::kQ5_0 ? 22 : 24);
  const std::int64_t block256 = n * (w.in / 256) + k / 256;
  const float s = scale.scales[group];
  const auto with_offset = [&](int q) { return std::fma(s, static_cast<float>(q), scale.offsets[group]); };
  switch (w.layout) {
    case Layout::kQ5_0:
      return s * static_cast<float>(code_of_q5(block32, 2, k % 32) - 16);
    case Layout::kQ5_1:
      return with_offset(code_of_q5(block32, 4, k % 32));
    case Layout::kQ4_K:
      return with_offset(code_of_q4_k(w.codes + block256 * 144 + 16, k % 256));
    case Layout::kQ5_K:
      return with_offset(code_of_q5_k(w.codes + block256 * 176, k % 256));
    case Layout::kQ6_K:
      return s * static_cast<float>(code_of_q6_k(w.codes + block256 * 210, k % 256) - 32);
    default:
      return NAN;
  }
}

}  // namespace
}  // namespace qzo::kernels
