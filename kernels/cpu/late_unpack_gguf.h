#pragma once
// Codes of Q5_0, Q5_1 and the K-quants to words (late_unpack.h). Drawings of the blocks: include/qzo/quant/formats.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/late_variant.h"

namespace qzo::kernels {
namespace {

// kWords words of each of `count` columns that lie `row_bytes` apart, as [kWords][W]; missing columns become 0.
template <unsigned W, unsigned kWords>
inline void load_words_of_columns(const std::byte* first, std::int64_t row_bytes, std::int64_t count,
                                  std::uint32_t* words) {
  if (count < W) std::memset(words, 0, sizeof(std::uint32_t) * kWords * W);
  for (std::int64_t n = 0; n < count; ++n, first += row_bytes) {
    std::uint32_t own[kWords];
    std::memcpy(own, first, sizeof own);
    for (unsigned i = 0; i < kWords; ++i) words[i * W + n] = own[i];
  }
}

// Bits 0 to 3 to bit 4 of four bytes: the copies do not overlap, so the product carries nothing.
inline std::uint32_t spread_fifth_bits(std::uint32_t bits) { return ((bits & 15U) * 0x00204081U & 0x01010101U) << 4; }

// `header`: bytes in front of the four with the fifth bits.
template <unsigned W>
inline void unpack_blocks_q5(const PanelJob& job, std::int64_t header) {
  const std::int64_t block_bytes = header + 4 + 16;
  const std::int64_t row_bytes = job.weight.in / 32 * block_bytes;
  std::uint32_t* out = job.words;
  for (std::int64_t k = job.begin; k < job.end; k += 32, out += 8 * W) {
    const std::byte* source = job.weight.codes + job.column * row_bytes + k / 32 * block_bytes + header;
    alignas(64) std::uint32_t fifth[W], low[4 * W];
    load_words_of_columns<W, 1>(source, row_bytes, job.count, fifth);
    load_words_of_columns<W, 4>(source + 4, row_bytes, job.count, low);
    for (unsigned i = 0; i < 8; ++i)
      for (unsigned n = 0; n < W; ++n)
        out[i * W + n] = (low[i % 4 * W + n] >> (i / 4 * 4) & 0x0f0f0f0fU) | spread_fifth_bits(fifth[n] >> (4 * i));
  }
}

// Q4_K, and Q5_K with 32 bytes of fifth bits in front of the nibbles: bit j of byte l belongs to input l of run j.
template <unsigned W, bool kFifthBits>
inline void unpack_k_nibbles(const PanelJob& job) {
  constexpr std::int64_t kHeader = 16;  // d, dmin, twelve bytes of scales
  constexpr std::int64_t kNibbles = kHeader + (kFifthBits ? 32 : 0);
  constexpr std::int64_t kBlockBytes = kNibbles + 128;
  const std::int64_t row_bytes = job.weight.in / 256 * kBlockBytes;
  std::uint32_t* out = job.words;
  for (std::int64_t k = job.begin; k < job.end; k += 32, out += 8 * W) {
    const std::byte* block = job.weight.codes + job.column * row_bytes + k / 256 * kBlockBytes;
    const auto run = static_cast<unsigned>(k % 256 / 32);
    alignas(64) std::uint32_t low[8 * W];
    load_words_of_columns<W, 8>(block + kNibbles + run / 2 * 32, row_bytes, job.count, low);
    for (unsigned i = 0; i < 8 * W; ++i) out[i] = low[i] >> (run % 2 * 4) & 0x0f0f0f0fU;
    if constexpr (kFifthBits) {
      alignas(64) std::uint32_t fifth[8 * W];
      load_words_of_columns<W, 8>(block + kHeader, row_bytes, job.count, fifth);
      for (unsigned i = 0; i < 8 * W; ++i) out[i] |= (fifth[i] >> run & 0x01010101U) << 4;
    }
  }
}

// Sixteen inputs at a time, since that many share a scale.
template <unsigned W>
inline void unpack_q6_k(const PanelJob& job) {
  constexpr std::int64_t kBlockBytes = 210;
  constexpr std::int64_t kHighBits = 128;
  const std::int64_t row_bytes = job.weight.in / 256 * kBlockBytes;
  std::uint32_t* out = job.words;
  for (std::int64_t k = job.begin; k < job.end; k += 16, out += 4 * W) {
    const std::byte* block = job.weight.codes + job.column * row_bytes + k / 256 * kBlockBytes;
    const std::int64_t half = k % 256 / 128, quarter = k % 128 / 32, l = k % 32;
    alignas(64) std::uint32_t low[4 * W], high[4 * W];
    load_words_of_columns<W, 4>(block + 64 * half + quarter % 2 * 32 + l, row_bytes, job.count, low);
    load_words_of_columns<W, 4>(block + kHighBits + 32 * half + l, row_bytes, job.count, high);
    for (unsigned i = 0; i < 4 * W; ++i)
      out[i] = (low[i] >> (quarter / 2 * 4) & 0x0f0f0f0fU) | (high[i] >> (2 * quarter) & 0x03030303U) << 4;
  }
}

}  // namespace
}  // namespace qzo::kernels
