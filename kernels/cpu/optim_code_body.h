#pragma once
// Codes of a chunk to numbers and back, over any lanes type. Rules: qzo/kernels/optim_state.h.

#include "cpu/optim_variant.h"

namespace qzo::kernels {
namespace {

constexpr std::int64_t kGroup = 16;  // elements of a vector; 8 bytes of 4-bit codes

// Each coder gives the 4-bit codes of sixteen quotients. Comparing the bits of floats as integers compares the floats
// where neither is negative.

// Midpoints lie mirrored about 0 except for the uppermost. A negative quotient on a midpoint takes the lower code,
// which is the one further from 0, so its magnitude counts as one unit more.
template <class L>
struct SignedCoder {
  explicit SignedCoder(const CodeBook& book) {
    for (int i = 0; i < 7; ++i) middle[i] = L::bits_of(L::broadcast(book.midpoints[static_cast<std::size_t>(7 + i)]));
    top = L::bits_of(L::broadcast(book.midpoints[14]));
  }
  typename L::Words operator()(typename L::Floats n) const {
    const auto bits = L::bits_of(n);
    const auto negative = L::shift_right(bits, 31);
    const auto magnitude = L::add(L::bit_and(bits, L::broadcast_word(0x7FFFFFFFU)), negative);
    // Three chains of additions instead of one, which would be as long as a division.
    const auto a = L::add(L::greater(magnitude, middle[0]), L::greater(magnitude, middle[1]));
    const auto b = L::add(L::greater(magnitude, middle[2]), L::greater(magnitude, middle[3]));
    const auto c = L::add(L::greater(magnitude, middle[4]), L::greater(magnitude, middle[5]));
    const auto minus_steps = L::add(L::add(a, b), L::add(c, L::greater(magnitude, middle[6])));
    // positive: 7 + steps, negative: 7 - steps
    const auto mask = L::sub(L::broadcast_word(0), negative);
    const auto signed_steps = L::sub(L::bit_xor(minus_steps, mask), mask);
    return L::sub(L::sub(L::broadcast_word(7), signed_steps), L::greater(bits, top));
  }
  typename L::Words middle[7], top;
};

// Midpoints (i + 1.5) / 16: those below n number ceil(16 n - 1.5), where every step is exact from 16 n = 0.75 on.
template <class L>
struct LinearCoder {
  explicit LinearCoder(const CodeBook&) {}
  typename L::Words operator()(typename L::Floats n) const {
    const auto up = L::ceil(L::fma(n, L::broadcast(16.0F), L::broadcast(-1.5F)));
    return L::float_to_signed(L::max(up, L::zero()));
  }
};

// Any table of non-negative entries.
template <class L>
struct UnsignedCoder {
  explicit UnsignedCoder(const CodeBook& book) {
    for (std::size_t i = 0; i < 15; ++i) middle[i] = L::bits_of(L::broadcast(book.midpoints[i]));
  }
  typename L::Words operator()(typename L::Floats n) const {
    const auto bits = L::bits_of(n);
    auto minus_code = L::broadcast_word(0);
    for (const auto& one : middle) minus_code = L::add(minus_code, L::greater(bits, one));
    return L::sub(L::broadcast_word(0), minus_code);
  }
  typename L::Words middle[15];
};

inline void fill_bytes(std::uint8_t* p, std::uint8_t value, std::int64_t count) {
  __builtin_memset(p, value, static_cast<std::size_t>(count));
}

// Elements [first, first + count) of a chunk, first a multiple of 16.
template <class L, class Codes>
inline void store_codes(const CodeChunk& chunk, std::int64_t first, std::int64_t count, const Codes& codes) {
  std::uint8_t* to = chunk.codes + first / 2;
  if (count >= kGroup) {
    L::store_nibbles(to, codes);
    return;
  }
  std::uint8_t bytes[8];
  L::store_nibbles(bytes, codes);
  if (count % 2 != 0) bytes[count / 2] &= 0x0F;
  __builtin_memcpy(to, bytes, static_cast<std::size_t>((count + 1) / 2));
}

template <class L>
inline typename L::Words load_codes(const CodeChunk& chunk, std::int64_t first, std::int64_t count) {
  const std::uint8_t* from = chunk.codes + first / 2;
  if (count >= kGroup) return L::load_nibbles(from);
  std::uint8_t bytes[8] = {};
  __builtin_memcpy(bytes, from, static_cast<std::size_t>((count + 1) / 2));
  return L::load_nibbles(bytes);
}

// Largest |x| of `count` elements padded with zeros to a multiple of 16.
template <class L>
inline float largest(const float* x, std::int64_t count) {
  const auto magnitude = L::broadcast_word(0x7FFFFFFFU);
  auto most = L::zero();
  for (std::int64_t i = 0; i < count; i += kGroup)
    most = L::max(most, L::float_of(L::bit_and(L::bits_of(L::load(x + i)), magnitude)));
  return L::reduce_max(most);
}

template <class L, class Coder>
void encode_nibbles(const CodeChunk& chunk, const float* x) {
  const Coder coder(*chunk.book);
  if (chunk.scales != nullptr) {
    const auto one = L::broadcast_word(0x3F800000U);
    for (std::int64_t i = 0; i < chunk.count; i += kGroup) {
      const auto scale = L::bits_of(L::load(chunk.scales + i));
      const auto empty = L::greater(L::broadcast_word(1), scale);  // scale 0: no division, last code
      const auto divisor = L::float_of(L::bit_or(scale, L::bit_and(empty, one)));
      const auto codes = L::bit_or(coder(L::div(L::load(x + i), divisor)), L::bit_and(empty, L::broadcast_word(15)));
      store_codes<L>(chunk, i, chunk.count - i, codes);
    }
    return;
  }
  for (std::int64_t block = 0; block * chunk.block < chunk.count; ++block) {
    const std::int64_t first = block * chunk.block;
    const std::int64_t count = chunk.count - first < chunk.block ? chunk.count - first : chunk.block;
    const float scale = largest<L>(x + first, count);
    chunk.block_scales[block] = scale;
    if (scale == 0) {
      fill_bytes(chunk.codes + first / 2, 0xFF, (count + 1) / 2);
      if (count % 2 != 0) chunk.codes[(first + count) / 2] = 0x0F;
      continue;
    }
    const auto divisor = L::broadcast(scale);
    for (std::int64_t i = 0; i < count; i += kGroup)
      store_codes<L>(chunk, first + i, count - i, coder(L::div(L::load(x + first + i), divisor)));
  }
}

template <class L>
void decode_nibbles(const CodeChunk& chunk, float* out) {
  const auto table = L::load(chunk.book->values.data());
  if (chunk.scales != nullptr) {
    for (std::int64_t i = 0; i < chunk.count; i += kGroup)
      L::store(out + i, L::mul(L::lookup(table, load_codes<L>(chunk, i, chunk.count - i)), L::load(chunk.scales + i)));
  } else {
    for (std::int64_t first = 0; first < chunk.count; first += chunk.block) {
      const auto scaled = L::mul(table, L::broadcast(chunk.block_scales[first / chunk.block]));
      const std::int64_t count = chunk.count - first < chunk.block ? chunk.count - first : chunk.block;
      for (std::int64_t i = 0; i < count; i += kGroup)
        L::store(out + first + i, L::lookup(scaled, load_codes<L>(chunk, first + i, count - i)));
    }
  }
}

// What follows works an element at a time: 8-bit codes (their 256 entries fit no register) and stochastic rounding.

inline float scale_of(const CodeChunk& chunk, std::int64_t i) {
  return chunk.scales != nullptr ? chunk.scales[i] : chunk.block_scales[i / chunk.block];
}

inline void put_code(const CodeChunk& chunk, std::int64_t i, int code) {
  if (chunk.book->bits == 8) {
    chunk.codes[i] = static_cast<std::uint8_t>(code);
  } else if (i % 2 == 0) {
    chunk.codes[i / 2] = static_cast<std::uint8_t>(code);
  } else {
    chunk.codes[i / 2] = static_cast<std::uint8_t>(chunk.codes[i / 2] | code << 4);
  }
}

inline int nearest_byte(const CodeBook& book, float n) {
  const int code = book.first_code[ascending_key(__builtin_bit_cast(std::uint32_t, n))];
  return code + (n > book.midpoints[static_cast<std::size_t>(code)] ? 1 : 0);
}

// Where n lies between two entries, the upper one if the word, as a fraction of 2^24, is below n's share of the way.
inline int stochastic_code(const CodeBook& book, float n, std::uint32_t word) {
  const int last = (1 << book.bits) - 1;
  if (!(n > book.values[0])) return 0;
  int low = 0;
  for (int step = 1 << (book.bits - 1); step > 0; step /= 2)
    if (low + step <= last && book.values[static_cast<std::size_t>(low + step)] <= n) low += step;
  if (low == last) return last;
  const float below = book.values[static_cast<std::size_t>(low)];
  const float above = book.values[static_cast<std::size_t>(low + 1)];
  const float u = static_cast<float>(static_cast<std::int32_t>(word >> 8)) * 0x1p-24F;
  return u * (above - below) < n - below ? low + 1 : low;
}

inline float on_grid(float n) {
  const auto index = static_cast<std::int32_t>((n + 1.0F) * 0.5F * 65535.0F + 0.5F);
  return -1.0F + 2.0F * static_cast<float>(index) / 65535.0F;
}

template <class L>
void encode_each(const CodeChunk& chunk, const float* x) {
  if (chunk.scales == nullptr) {
    for (std::int64_t first = 0; first < chunk.count; first += chunk.block) {
      const std::int64_t count = chunk.count - first < chunk.block ? chunk.count - first : chunk.block;
      chunk.block_scales[first / chunk.block] = largest<L>(x + first, count);
    }
  }
  const CodeBook& book = *chunk.book;
  for (std::int64_t i = 0; i < chunk.count; ++i) {
    const float scale = scale_of(chunk, i);
    int code = 0;
    if (scale == 0) {
      code = chunk.grid ? 0 : (1 << book.bits) - 1;
    } else if (chunk.grid) {
      code = nearest_byte(book, on_grid(x[i] * (1.0F / scale)));
    } else if (chunk.words != nullptr) {
      code = stochastic_code(book, x[i] / scale, chunk.words[i]);
    } else {
      code = nearest_byte(book, x[i] / scale);
    }
    put_code(chunk, i, code);
  }
}

template <class L>
void decode_chunk(const CodeChunk& chunk, float* out) {
  if (chunk.book->bits == 4) {
    decode_nibbles<L>(chunk, out);
  } else {
    for (std::int64_t i = 0; i < chunk.count; ++i) out[i] = chunk.book->values[chunk.codes[i]] * scale_of(chunk, i);
  }
  for (std::int64_t i = chunk.count; i % kGroup != 0; ++i) out[i] = 0;
}

template <class L>
void encode_chunk(const CodeChunk& chunk, const float* x) {
  if (chunk.book->bits == 8 || chunk.words != nullptr) {
    encode_each<L>(chunk, x);
  } else if (chunk.book->table == StateTable::kDeSigned) {
    encode_nibbles<L, SignedCoder<L>>(chunk, x);
  } else if (chunk.book->table == StateTable::kLinearUnsigned) {
    encode_nibbles<L, LinearCoder<L>>(chunk, x);
  } else {
    encode_nibbles<L, UnsignedCoder<L>>(chunk, x);
  }
}

}  // namespace
}  // namespace qzo::kernels
