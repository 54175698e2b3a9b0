#pragma once
// Sixteen lanes in plain C++: the meaning of every operation that lanes_avx2.h and lanes_avx512.h spell in intrinsics.
// The kernel bodies (*_body.h) are written once over such a type. All three give the same bits: every operation is
// exact by IEEE 754, and reductions add in the tree written here.
//
// A lanes type has Floats, Words (32-bit, unsigned), kTileRows (rows of the register tile in gemm_body.h).

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "qzo/core/half.h"

namespace qzo::kernels {

struct PortableLanes {
  static constexpr int kTileRows = 4;
  struct Floats {
    float v[16];
  };
  struct Words {
    std::uint32_t v[16];
  };

  static Floats load(const float* p) {
    return each([p](int i) { return p[i]; });
  }
  static void store(float* p, const Floats& a) {
    for (int i = 0; i < 16; ++i) p[i] = a.v[i];
  }
  static Floats broadcast(float a) {
    return each([a](int) { return a; });
  }
  static Floats zero() { return broadcast(0.0F); }
  static Floats add(const Floats& a, const Floats& b) {
    return each([&](int i) { return a.v[i] + b.v[i]; });
  }
  static Floats sub(const Floats& a, const Floats& b) {
    return each([&](int i) { return a.v[i] - b.v[i]; });
  }
  static Floats mul(const Floats& a, const Floats& b) {
    return each([&](int i) { return a.v[i] * b.v[i]; });
  }
  static Floats div(const Floats& a, const Floats& b) {
    return each([&](int i) { return a.v[i] / b.v[i]; });
  }
  static Floats sqrt(const Floats& a) {
    return each([&](int i) { return __builtin_sqrtf(a.v[i]); });
  }
  static Floats ceil(const Floats& a) {
    return each([&](int i) { return __builtin_ceilf(a.v[i]); });
  }
  static Floats fma(const Floats& a, const Floats& b, const Floats& c) {
    return each([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }
  // The x86 instructions' rule: the second operand unless the first is strictly beyond it (so a NaN in `b` stays).
  static Floats max(const Floats& a, const Floats& b) {
    return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static Floats min(const Floats& a, const Floats& b) {
    return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }

  // Lane i with i + 8, then i + 4, i + 2, i + 1.
  static float reduce_add(Floats a) {
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) a.v[i] = a.v[i] + a.v[i + half];
    return a.v[0];
  }
  static float reduce_max(Floats a) {
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
    return a.v[0];
  }
  // out[0..3] = reduce_add of each.
  static void reduce_add4(const Floats& a, const Floats& b, const Floats& c, const Floats& d, float* out) {
    out[0] = reduce_add(a);
    out[1] = reduce_add(b);
    out[2] = reduce_add(c);
    out[3] = reduce_add(d);
  }

  static Words load_words(const std::uint32_t* p) {
    return each_word([p](int i) { return p[i]; });
  }
  static Words broadcast_word(std::uint32_t a) {
    return each_word([a](int) { return a; });
  }
  static Words add(const Words& a, const Words& b) {
    return each_word([&](int i) { return a.v[i] + b.v[i]; });
  }
  static Words sub(const Words& a, const Words& b) {
    return each_word([&](int i) { return a.v[i] - b.v[i]; });
  }
  static Words bit_and(const Words& a, const Words& b) {
    return each_word([&](int i) { return a.v[i] & b.v[i]; });
  }
  static Words bit_or(const Words& a, const Words& b) {
    return each_word([&](int i) { return a.v[i] | b.v[i]; });
  }
  static Words bit_xor(const Words& a, const Words& b) {
    return each_word([&](int i) { return a.v[i] ^ b.v[i]; });
  }
  // All bits of a lane set where a > b as signed integers.
  static Words greater(const Words& a, const Words& b) {
    return each_word([&](int i) {
      return static_cast<std::int32_t>(a.v[i]) > static_cast<std::int32_t>(b.v[i]) ? ~std::uint32_t{0} : 0;
    });
  }
  static Words max_signed(const Words& a, const Words& b) {
    return each_word(
        [&](int i) { return static_cast<std::int32_t>(a.v[i]) > static_cast<std::int32_t>(b.v[i]) ? a.v[i] : b.v[i]; });
  }
  static std::int32_t reduce_max_signed(const Words& a) {
    std::int32_t most = static_cast<std::int32_t>(a.v[0]);
    for (const std::uint32_t lane : a.v)
      if (static_cast<std::int32_t>(lane) > most) most = static_cast<std::int32_t>(lane);
    return most;
  }
  // Modulo 2^32.
  static std::uint32_t reduce_add(const Words& a) {
    std::uint32_t sum = 0;
    for (const std::uint32_t lane : a.v) sum += lane;
    return sum;
  }
  static Words shift_left(const Words& a, int bits) {
    return each_word([&](int i) { return a.v[i] << bits; });
  }
  static Words shift_right(const Words& a, int bits) {
    return each_word([&](int i) { return a.v[i] >> bits; });
  }
  static Words shift_right_signed(const Words& a, int bits) {
    return each_word([&](int i) { return static_cast<std::uint32_t>(static_cast<std::int32_t>(a.v[i]) >> bits); });
  }
  static Floats signed_to_float(const Words& a) {
    return each([&](int i) { return static_cast<float>(static_cast<std::int32_t>(a.v[i])); });
  }
  // Towards zero; the values must fit.
  // To the nearest, ties to even; for |a| < 2^22.
  static Words nearest_signed(const Floats& a) {
    constexpr float kRound = 0x1.8p23F;  // a + kRound has the integer in its low bits
    return sub(bits_of(add(a, broadcast(kRound))), bits_of(broadcast(kRound)));
  }
  static Words float_to_signed(const Floats& a) {
    return each_word([&](int i) { return static_cast<std::uint32_t>(static_cast<std::int32_t>(a.v[i])); });
  }
  static Words bits_of(const Floats& a) {
    return each_word([&](int i) { return std::bit_cast<std::uint32_t>(a.v[i]); });
  }
  static Floats float_of(const Words& a) {
    return each([&](int i) { return std::bit_cast<float>(a.v[i]); });
  }
  // Sixteen IEEE halves, sixteen bfloat16.
  static Floats load_half(const std::uint16_t* p) {
    return each([p](int i) { return core::half_to_float(p[i]); });
  }
  static Floats load_bfloat16(const std::uint16_t* p) {
    return each([p](int i) { return core::bfloat16_to_float(p[i]); });
  }
  // Sixteen 4-bit codes of 8 bytes, even lanes in the low nibbles. Loaded: only the low four bits of a lane mean
  // something. Stored: every lane is below 16.
  static Words load_nibbles(const std::uint8_t* p) {
    return each_word([p](int i) { return static_cast<std::uint32_t>(p[i / 2] >> (i % 2 * 4)); });
  }
  static void store_nibbles(std::uint8_t* p, const Words& a) {
    for (int i = 0; i < 8; ++i) p[i] = static_cast<std::uint8_t>(a.v[2 * i] | a.v[2 * i + 1] << 4);
  }
  // Four of them: 32 bytes. Stored: lanes are codes plus `excess`.
  static void load_nibbles4(const std::uint8_t* p, Words (&a)[4]) {
    for (int i = 0; i < 4; ++i) a[i] = load_nibbles(p + 8 * i);
  }
  static void store_nibbles4(std::uint8_t* p, const Words (&a)[4], std::uint32_t excess) {
    for (int i = 0; i < 4; ++i) store_nibbles(p + 8 * i, sub(a[i], broadcast_word(excess)));
  }
  // Bits of a where the mask has ones, of b elsewhere.
  static Words merge(const Words& mask, const Words& a, const Words& b) {
    return each_word([&](int i) { return (a.v[i] & mask.v[i]) | (b.v[i] & ~mask.v[i]); });
  }
  static bool any(const Words& a) {
    for (const std::uint32_t word : a.v)
      if (word != 0) return true;
    return false;
  }
  // The larger and the smaller of two magnitudes, the first if the second is a NaN; which sign the result has is open.
  static Floats most_magnitude(const Floats& a, const Floats& b) {
    return each([&](int i) { return std::fabs(b.v[i]) > std::fabs(a.v[i]) ? std::fabs(b.v[i]) : std::fabs(a.v[i]); });
  }
  static Floats least_magnitude(const Floats& a, const Floats& b) {
    return each([&](int i) { return std::fabs(b.v[i]) < std::fabs(a.v[i]) ? std::fabs(b.v[i]) : std::fabs(a.v[i]); });
  }
  // (low, high)[low five bits of the lane].
  static Floats lookup_pair(const Floats& low, const Floats& high, const Words& codes) {
    return each([&](int i) { return (codes.v[i] & 16U) == 0 ? low.v[codes.v[i] & 15U] : high.v[codes.v[i] & 15U]; });
  }
  // The low byte of each lane, which holds a number of -128 to 127: 16 bytes.
  static void store_bytes(std::byte* p, const Words& a) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<std::byte>(a.v[i] & 255U);
  }
  // The upper half of each lane's bits: 32 bytes.
  // table[low four bits of the lane].
  static Floats lookup(const Floats& table, const Words& codes) {
    return each([&](int i) { return table.v[codes.v[i] & 15U]; });
  }

 private:
  template <class F>
  static Floats each(F f) {
    Floats r;
    for (int i = 0; i < 16; ++i) r.v[i] = f(i);
    return r;
  }
  template <class F>
  static Words each_word(F f) {
    Words r;
    for (int i = 0; i < 16; ++i) r.v[i] = f(i);
    return r;
  }
};

}  // namespace qzo::kernels
