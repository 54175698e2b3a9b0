#pragma once
// Codes of the layouts kGptq2 to kHqq8Axis0 as words of four consecutive inputs, lowest byte first. A type for each
// way of packing, with
//
//   unpack<W>(weight, columns, k, inputs, out)  inputs [k, k + inputs), multiples of 4, to out [inputs / 4][W]
//   one<W>(weight, columns, k, out)             input k alone, out [W]
//
// Column n of `out` is output columns.first + n; from columns.count on it is 0. Drawings of the layouts:
// include/qzo/quant/formats/*.h.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "qzo/kernels/weight_view.h"

namespace qzo::kernels {
namespace {

struct Columns {
  std::int64_t first;
  std::int64_t count;  // 1 to W
};

inline std::uint32_t word_at(const std::byte* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Four codes of kBits, from the low end of a word, to four bytes.
template <unsigned kBits>
inline std::uint32_t spread_codes(std::uint32_t w) {
  constexpr std::uint32_t kPair = (1U << 2 * kBits) - 1, kOne = (1U << kBits) - 1;
  w = (w & kPair) | (w & kPair << 2 * kBits) << (16 - 2 * kBits);
  return (w & (kOne | kOne << 16)) | (w & (kOne << kBits | kOne << (16 + kBits))) << (8 - kBits);
}

// GPTQ: the codes of an output follow each other in the words of its column, across their borders too (3 bits).
template <unsigned kBits>
struct GptqCodes {
  template <unsigned W>
  static void unpack(const CodeView& weight, const Columns& columns, std::int64_t k, std::int64_t inputs,
                     std::uint32_t* out) {
    for (const std::int64_t end = k + inputs; k < end; k += 4, out += W) {
      bits_at<W, 4 * kBits>(weight, columns, k, out);
      if constexpr (kBits < 8)
        for (unsigned n = 0; n < W; ++n) out[n] = spread_codes<kBits>(out[n]);
    }
  }

  template <unsigned W>
  static void one(const CodeView& weight, const Columns& columns, std::int64_t k, std::uint32_t* out) {
    bits_at<W, kBits>(weight, columns, k, out);
    for (unsigned n = 0; n < W; ++n) out[n] &= (1U << kBits) - 1;
  }

 private:
  // At least kCount bits from the first one of input k.
  template <unsigned W, unsigned kCount>
  static void bits_at(const CodeView& weight, const Columns& columns, std::int64_t k, std::uint32_t* out) {
    const std::int64_t bit = k * kBits;
    const auto shift = static_cast<unsigned>(bit % 32);
    load<W>(weight, columns, bit / 32, out);
    for (unsigned n = 0; n < W; ++n) out[n] >>= shift;
    if (shift + kCount <= 32) return;
    alignas(64) std::uint32_t next[W];
    load<W>(weight, columns, bit / 32 + 1, next);
    for (unsigned n = 0; n < W; ++n) out[n] |= next[n] << (32 - shift);
  }

  template <unsigned W>
  static void load(const CodeView& weight, const Columns& columns, std::int64_t row, std::uint32_t* words) {
    const std::byte* source = weight.codes + (row * weight.out + columns.first) * 4;
    if (columns.count == W) {
      std::memcpy(words, source, W * 4);
      return;
    }
    std::memset(words, 0, W * 4);
    std::memcpy(words, source, static_cast<std::size_t>(columns.count) * 4);
  }
};

// AWQ: eight outputs to a word.
struct AwqCodes {
  template <unsigned W>
  static void unpack(const CodeView& weight, const Columns& columns, std::int64_t k, std::int64_t inputs,
                     std::uint32_t* out) {
    alignas(64) std::uint32_t codes[W];
    for (const std::int64_t end = k + inputs; k < end; k += 4, out += W) {
      one<W>(weight, columns, k, out);
      for (unsigned i = 1; i < 4; ++i) {
        one<W>(weight, columns, k + i, codes);
        for (unsigned n = 0; n < W; ++n) out[n] |= codes[n] << (8 * i);
      }
    }
  }

  template <unsigned W>
  static void one(const CodeView& weight, const Columns& columns, std::int64_t k, std::uint32_t* out) {
    constexpr unsigned kShift[8] = {0, 16, 4, 20, 8, 24, 12, 28};  // of output i of eight
    const std::int64_t skipped = columns.first % 8;
    const std::int64_t needed = skipped + columns.count;
    const std::byte* source = weight.codes + (k * (weight.out / 8) + columns.first / 8) * 4;
    alignas(64) std::uint32_t codes[W + 8];
    for (unsigned n = 0; n < W + 8; n += 8, source += 4) {
      const std::uint32_t word = n < needed ? word_at(source) : 0;
      for (unsigned i = 0; i < 8; ++i) codes[n + i] = word >> kShift[i] & 15U;
    }
    std::memcpy(out, codes + skipped, W * 4);
    for (std::int64_t n = columns.count; n < W; ++n) out[n] = 0;
  }
};

// The codes of one output, end to end.
struct NibbleRow {
  NibbleRow(const CodeView& weight, std::int64_t n) : codes(weight.codes + n * (weight.in / 2)) {}
  std::uint32_t four(std::int64_t k) const {
    std::uint16_t half;
    std::memcpy(&half, codes + k / 2, sizeof half);
    return spread_codes<4>(half);
  }
  std::uint32_t one(std::int64_t k) const { return static_cast<std::uint32_t>(codes[k / 2]) >> (k % 2 * 4) & 15U; }
  const std::byte* codes;
};

struct ByteRow {
  ByteRow(const CodeView& weight, std::int64_t n) : codes(weight.codes + n * weight.in) {}
  std::uint32_t four(std::int64_t k) const { return word_at(codes + k); }
  std::uint32_t one(std::int64_t k) const { return static_cast<std::uint32_t>(codes[k]); }
  const std::byte* codes;
};

// HQQ, 4 bit: output n in the high nibbles, output n + out / 2 in the low ones.
struct HalvesRow {
  HalvesRow(const CodeView& weight, std::int64_t n)
      : codes(weight.codes + n % (weight.out / 2) * weight.in), shift(n < weight.out / 2 ? 4 : 0) {}
  std::uint32_t four(std::int64_t k) const { return word_at(codes + k) >> shift & 0x0f0f0f0fU; }
  std::uint32_t one(std::int64_t k) const { return static_cast<std::uint32_t>(codes[k]) >> shift & 15U; }
  const std::byte* codes;
  unsigned shift;
};

template <class Row>
struct RowCodes {
  template <unsigned W>
  static void unpack(const CodeView& weight, const Columns& columns, std::int64_t k, std::int64_t inputs,
                     std::uint32_t* out) {
    if (columns.count < W) std::memset(out, 0, static_cast<std::size_t>(inputs / 4) * W * 4);
    for (std::int64_t n = 0; n < columns.count; ++n) {
      const Row row(weight, columns.first + n);
      for (std::int64_t i = 0; i < inputs / 4; ++i) out[i * W + n] = row.four(k + 4 * i);
    }
  }

  template <unsigned W>
  static void one(const CodeView& weight, const Columns& columns, std::int64_t k, std::uint32_t* out) {
    for (std::int64_t n = 0; n < W; ++n) out[n] = n < columns.count ? Row(weight, columns.first + n).one(k) : 0;
  }
};

}  // namespace
}  // namespace qzo::kernels
