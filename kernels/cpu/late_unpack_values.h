#pragma once
// Codes that are fractions (has_float_codes) to a panel of fp32, [position][W], before any scale.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/late_unpack.h"
#include "cpu/tail.h"

namespace qzo::kernels {
namespace {

// kWords * 8 inputs from `k` on: indices to words of four consecutive positions.
template <unsigned W, unsigned kWords>
inline void unpack_table_indices(const PanelJob& job, std::int64_t k, std::uint32_t* out) {
  const std::int64_t row_bytes = job.weight.in / 2;
  alignas(64) std::uint32_t packed[kWords * W];
  load_words_of_columns<W, kWords>(job.weight.codes + job.column * row_bytes + k / 2, row_bytes, job.count, packed);
  for (unsigned i = 0; i < kWords; ++i)
    for (unsigned n = 0; n < W; ++n) {
      const std::uint32_t word = packed[i * W + n];
      const std::uint32_t in_order = (word >> 4 & 0x0f0f0f0fU) | (word & 0x0f0f0f0fU) << 4;
      out[2 * i * W + n] = spread_nibbles(in_order);
      out[(2 * i + 1) * W + n] = spread_nibbles(in_order >> 16);
    }
}

template <class L, unsigned W>
inline void unpack_table_values(const PanelJob& job, float* out) {
  const typename L::Floats table = L::load(job.weight.table);
  const typename L::Words mask = L::broadcast_word(15);
  for (std::int64_t k = job.begin; k < job.end;) {
    const bool wide = job.end - k >= 32;
    const std::int64_t inputs = wide ? 32 : 8;
    alignas(64) std::uint32_t words[8 * W];
    if (wide)
      unpack_table_indices<W, 4>(job, k, words);
    else
      unpack_table_indices<W, 1>(job, k, words);
    for (std::int64_t i = 0; i < inputs; ++i, out += W)
      for (unsigned n = 0; n < W; n += kLanes) {
        const typename L::Words word = L::load_words(words + i / 4 * W + n);
        const auto shift = static_cast<int>(i % 4 * 8);
        L::store(out + n, L::lookup(table, L::bit_and(L::shift_right(word, shift), mask)));
      }
    k += inputs;
  }
}

inline std::int64_t codebook_index(const std::byte* codes, std::int64_t at, std::int32_t bits) {
  if (bits <= 8) return static_cast<std::uint8_t>(codes[at]) & ((1 << bits) - 1);
  std::uint16_t index;
  std::memcpy(&index, codes + 2 * at, 2);
  return index & ((1 << bits) - 1);
}

// The books are added in their order, beginning at 0.
template <class L, unsigned W>
inline void unpack_aqlm(const PanelJob& job, float* out) {
  constexpr std::int64_t kVector = 8;
  const Codebooks& books = job.weight.codebooks;
  const std::int64_t vectors = job.weight.in / kVector;
  for (std::int64_t k = job.begin; k < job.end; k += kVector, out += kVector * W) {
    alignas(64) float values[W * kVector];     // [column][input]
    for (std::int64_t n = 0; n < W; n += 2) {  // two columns fill the lanes
      typename L::Floats sum = L::zero();
      for (std::int64_t book = 0; book < books.books; ++book) {
        alignas(32) std::uint16_t pair[2 * kVector] = {};
        for (std::int64_t c = n; c < n + 2 && c < job.count; ++c) {
          const std::int64_t at = ((job.column + c) * vectors + k / kVector) * books.books + book;
          const std::int64_t vector = (book << books.bits) + codebook_index(job.weight.codes, at, books.bits);
          std::memcpy(pair + (c - n) * kVector, books.vectors + vector * kVector * 2, kVector * 2);
        }
        sum = L::add(sum, L::load_half(pair));
      }
      L::store(values + n * kVector, sum);
    }
    for (std::int64_t i = 0; i < kVector; ++i)
      for (std::int64_t n = 0; n < W; ++n) out[i * W + n] = values[n * kVector + i];
  }
}

template <class L, unsigned W>
inline void unpack_values(const PanelJob& job, float* out) {
  if (job.weight.layout == Layout::kTable4) return unpack_table_values<L, W>(job, out);
  unpack_aqlm<L, W>(job, out);
}

}  // namespace
}  // namespace qzo::kernels
