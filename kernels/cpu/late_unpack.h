#pragma once
// Codes of any layout to words of four consecutive positions, [position / 4][W]: what a dot-product
// instruction wants. Plain loops over columns; each instruction set's file vectorises its own copy.

#include <cstdint>
#include <cstring>

#include "cpu/late_unpack_codes.h"
#include "cpu/late_unpack_gguf.h"
#include "cpu/late_variant.h"

namespace qzo::kernels {
namespace {

// Four nibbles of the low half to four bytes.
inline std::uint32_t spread_nibbles(std::uint32_t w) {
  w &= 0xffffU;
  w = (w | w << 8) & 0x00ff00ffU;
  return (w | w << 4) & 0x0f0f0f0fU;
}

template <unsigned W>
inline void unpack_blocks_q4(const PanelJob& job, std::int64_t header) {
  const CodeView& weight = job.weight;
  const std::int64_t block_bytes = header + 16;
  const std::int64_t row_bytes = weight.in / 32 * block_bytes;
  std::uint32_t* out = job.words;
  for (std::int64_t k = job.begin; k < job.end; k += 32, out += 8 * W) {
    const std::byte* source = weight.codes + job.column * row_bytes + k / 32 * block_bytes + header;
    alignas(64) std::uint32_t words[4 * W] = {};
    for (std::int64_t n = 0; n < job.count; ++n, source += row_bytes) {
      std::uint32_t four[4];
      std::memcpy(four, source, 16);
      for (unsigned i = 0; i < 4; ++i) words[i * W + n] = four[i];
    }
    for (unsigned i = 0; i < 4 * W; ++i) out[i] = words[i] & 0x0f0f0f0fU;
    for (unsigned i = 0; i < 4 * W; ++i) out[4 * W + i] = words[i] >> 4 & 0x0f0f0f0fU;
  }
}

// Signed bytes plus 128: unsigned codes around a zero point of 128 (constant_zero).
template <unsigned W>
inline void unpack_blocks_q8(const PanelJob& job) {
  constexpr std::int64_t kBlockBytes = 34;
  const std::int64_t row_bytes = job.weight.in / 32 * kBlockBytes;
  std::uint32_t* out = job.words;
  for (std::int64_t k = job.begin; k < job.end; k += 32, out += 8 * W) {
    const std::byte* source = job.weight.codes + job.column * row_bytes + k / 32 * kBlockBytes + 2;
    std::memset(out, 0, 8 * W * sizeof *out);
    for (std::int64_t n = 0; n < job.count; ++n, source += row_bytes) {
      std::uint32_t eight[8];
      std::memcpy(eight, source, 32);
      for (unsigned i = 0; i < 8; ++i) out[i * W + n] = eight[i] ^ 0x80808080U;
    }
  }
}

// Codes of input k in `column..`: nibble k % 8 of int32 words [in / 8, out].
template <unsigned W>
inline void load_gptq_words(const PanelJob& job, std::int64_t k, std::uint32_t* words) {
  const std::byte* source = job.weight.codes + (k / 8 * job.weight.out + job.column) * 4;
  if (job.count == W) {
    std::memcpy(words, source, W * 4);
  } else {
    std::memcpy(words, source, static_cast<std::size_t>(job.count) * 4);
  }
}

template <unsigned W>
inline void unpack_gptq_words(const PanelJob& job) {
  alignas(64) std::uint32_t words[W] = {};
  std::uint32_t* out = job.words;
  const std::int32_t* source = job.plan.source;
  for (std::int64_t at = job.begin; at < job.end; at += 4, out += W) {
    if (source == nullptr) {
      load_gptq_words<W>(job, at, words);
      const unsigned shift = at % 8 == 0 ? 0 : 16;
      for (unsigned n = 0; n < W; ++n) out[n] = spread_nibbles(words[n] >> shift);
      continue;
    }
    for (unsigned n = 0; n < W; ++n) out[n] = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const std::int64_t k = source[at + i];
      if (k < 0) continue;
      load_gptq_words<W>(job, k, words);
      const auto shift = static_cast<unsigned>(k % 8 * 4);
      for (unsigned n = 0; n < W; ++n) out[n] |= (words[n] >> shift & 15U) << (8 * i);
    }
  }
}

template <unsigned W>
inline void unpack_words(const PanelJob& job) {
  switch (job.weight.layout) {
    case Layout::kGptq4:
      return unpack_gptq_words<W>(job);
    case Layout::kGptq2:
      return unpack_codes<W, GptqCodes<2>>(job);
    case Layout::kGptq3:
      return unpack_codes<W, GptqCodes<3>>(job);
    case Layout::kGptq8:
      return unpack_codes<W, GptqCodes<8>>(job);
    case Layout::kAwq4:
      return unpack_codes<W, AwqCodes>(job);
    case Layout::kRows4:
      return unpack_codes<W, RowCodes<NibbleRow>>(job);
    case Layout::kHqq4:
      return unpack_codes<W, RowCodes<HalvesRow>>(job);
    case Layout::kRows8:
    case Layout::kHqq8:
      return unpack_codes<W, RowCodes<ByteRow>>(job);
    case Layout::kQ4_0:
      return unpack_blocks_q4<W>(job, 2);
    case Layout::kQ4_1:
      return unpack_blocks_q4<W>(job, 4);
    case Layout::kQ8_0:
      return unpack_blocks_q8<W>(job);
    case Layout::kQ5_0:
      return unpack_blocks_q5<W>(job, 2);
    case Layout::kQ5_1:
      return unpack_blocks_q5<W>(job, 4);
    case Layout::kQ4_K:
      return unpack_k_nibbles<W, false>(job);
    case Layout::kQ5_K:
      return unpack_k_nibbles<W, true>(job);
    case Layout::kQ6_K:
      return unpack_q6_k<W>(job);
    default:
      return;  // dense: scale_late_supported is false; fractions: late_unpack_values.h
  }
}

// For each chunk of the block, with the zero points of its group: body(first word of the chunk, words, zeros[W]).
template <unsigned W, class Body>
inline void for_chunks_with_zeros(const PanelJob& job, Body body) {
  const CodeView& weight = job.weight;
  alignas(64) std::int32_t zeros[W] = {};
  const std::int32_t constant = constant_zero(weight);
  for (unsigned n = 0; n < W; ++n) zeros[n] = constant;
  std::int64_t word = 0;
  for (std::int64_t c = job.first_chunk; c < job.first_chunk + job.chunks; ++c) {
    if (weight.zeros != nullptr) {
      const std::uint8_t* row = weight.zeros + job.plan.group[c] * weight.out + job.column;
      for (std::int64_t n = 0; n < job.count; ++n) zeros[n] = row[n];
    }
    const std::int64_t words = job.plan.length[c] / 4;
    body(word, words, static_cast<const std::int32_t*>(zeros));
    word += words;
  }
}

inline std::int32_t code_of(std::uint32_t word, unsigned i) {
  return static_cast<std::int32_t>(word >> (8 * i) & 255U);
}

}  // namespace
}  // namespace qzo::kernels
