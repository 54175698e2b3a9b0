#pragma once
// Sixteen lanes as two AVX2 registers; meaning of each operation in lanes_portable.h. Only for *_avx2.cpp files.

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

namespace qzo::kernels {

struct Avx2Lanes {
  static constexpr int kTileRows = 6;  // 12 accumulators, 2 weight vectors, 1 broadcast: 15 of 16 registers
  struct Floats {
    __m256 lo, hi;
  };
  struct Words {
    __m256i lo, hi;
  };

  static Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, Floats a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
  }
  static Floats broadcast(float a) { return {_mm256_set1_ps(a), _mm256_set1_ps(a)}; }
  static Floats zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Floats add(Floats a, Floats b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  static Floats sub(Floats a, Floats b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  static Floats mul(Floats a, Floats b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  static Floats div(Floats a, Floats b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  static Floats sqrt(Floats a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
  static Floats ceil(Floats a) { return {_mm256_ceil_ps(a.lo), _mm256_ceil_ps(a.hi)}; }
  static Floats fma(Floats a, Floats b, Floats c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static Floats max(Floats a, Floats b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  static Floats min(Floats a, Floats b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }

  static float reduce_add(Floats a) {
    const __m128 four = reduce_to_four(a);
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float reduce_max(Floats a) {
    const __m256 eight = _mm256_max_ps(a.lo, a.hi);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static void reduce_add4(Floats a, Floats b, Floats c, Floats d, float* out) {
    __m128 r0 = reduce_to_four(a), r1 = reduce_to_four(b), r2 = reduce_to_four(c), r3 = reduce_to_four(d);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(out, _mm_add_ps(_mm_add_ps(r0, r2), _mm_add_ps(r1, r3)));
  }

  static Words load_words(const std::uint32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
  }
  static Words broadcast_word(std::uint32_t a) {
    const __m256i v = _mm256_set1_epi32(static_cast<int>(a));
    return {v, v};
  }
  static Words add(Words a, Words b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
  static Words sub(Words a, Words b) { return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)}; }
  static Words bit_and(Words a, Words b) { return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)}; }
  static Words bit_or(Words a, Words b) { return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)}; }
  static Words bit_xor(Words a, Words b) { return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)}; }
  static Words greater(Words a, Words b) { return {_mm256_cmpgt_epi32(a.lo, b.lo), _mm256_cmpgt_epi32(a.hi, b.hi)}; }
  static Words max_signed(Words a, Words b) { return {_mm256_max_epi32(a.lo, b.lo), _mm256_max_epi32(a.hi, b.hi)}; }
  static std::int32_t reduce_max_signed(Words a) {
    const __m256i eight = _mm256_max_epi32(a.lo, a.hi);
    const __m128i four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
  }
  static std::uint32_t reduce_add(Words a) {
    const __m256i eight = _mm256_add_epi32(a.lo, a.hi);
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1))));
  }
  static Words shift_left(Words a, int bits) { return {_mm256_slli_epi32(a.lo, bits), _mm256_slli_epi32(a.hi, bits)}; }
  static Words shift_right(Words a, int bits) { return {_mm256_srli_epi32(a.lo, bits), _mm256_srli_epi32(a.hi, bits)}; }
  static Words shift_right_signed(Words a, int bits) {
    return {_mm256_srai_epi32(a.lo, bits), _mm256_srai_epi32(a.hi, bits)};
  }
  static Floats signed_to_float(Words a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
  static Words nearest_signed(Floats a) { return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)}; }
  static Words float_to_signed(Floats a) { return {_mm256_cvttps_epi32(a.lo), _mm256_cvttps_epi32(a.hi)}; }
  static Words bits_of(Floats a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
  static Floats float_of(Words a) { return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)}; }
  static Floats load_half(const std::uint16_t* p) {
    return {_mm256_cvtph_ps(load_eight(p)), _mm256_cvtph_ps(load_eight(p + 8))};
  }
  static Floats load_bfloat16(const std::uint16_t* p) {
    const Words words{_mm256_cvtepu16_epi32(load_eight(p)), _mm256_cvtepu16_epi32(load_eight(p + 8))};
    return float_of(shift_left(words, 16));
  }
  static Words load_nibbles(const std::uint8_t* p) {
    const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    std::int32_t half[2];
    __builtin_memcpy(half, p, sizeof half);
    return {_mm256_srlv_epi32(_mm256_set1_epi32(half[0]), shifts),
            _mm256_srlv_epi32(_mm256_set1_epi32(half[1]), shifts)};
  }
  static void store_nibbles(std::uint8_t* p, Words a) {
    // Pairs of lanes to bytes: 16-bit words, then low + 16 high; in each half lanes 0-3 (or 4-7) of lo before those of
    // hi.
    const __m256i pairs = _mm256_madd_epi16(_mm256_packs_epi32(a.lo, a.hi), _mm256_set1_epi32(0x00100001));
    const __m256i pick = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                          0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i bytes = _mm256_shuffle_epi8(pairs, pick);
    const __m128i eight = _mm_unpacklo_epi16(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), eight);
  }
  static void load_nibbles4(const std::uint8_t* p, Words (&a)[4]) {
    for (int i = 0; i < 4; ++i) a[i] = load_nibbles(p + 8 * i);
  }
  static void store_nibbles4(std::uint8_t* p, const Words (&a)[4], std::uint32_t excess) {
    for (int i = 0; i < 4; ++i) store_nibbles(p + 8 * i, sub(a[i], broadcast_word(excess)));
  }
  static Words merge(Words mask, Words a, Words b) {
    return {_mm256_or_si256(_mm256_and_si256(mask.lo, a.lo), _mm256_andnot_si256(mask.lo, b.lo)),
            _mm256_or_si256(_mm256_and_si256(mask.hi, a.hi), _mm256_andnot_si256(mask.hi, b.hi))};
  }
  static bool any(Words a) {
    const __m256i both = _mm256_or_si256(a.lo, a.hi);
    return _mm256_testz_si256(both, both) == 0;
  }
  static Floats most_magnitude(Floats a, Floats b) { return max(magnitude(b), magnitude(a)); }
  static Floats least_magnitude(Floats a, Floats b) { return min(magnitude(b), magnitude(a)); }
  static Floats lookup_pair(Floats low, Floats high, Words codes) {
    const Floats a = lookup(low, codes), b = lookup(high, codes);
    const Words upper = shift_left(codes, 27);
    return {_mm256_blendv_ps(a.lo, b.lo, _mm256_castsi256_ps(upper.lo)),
            _mm256_blendv_ps(a.hi, b.hi, _mm256_castsi256_ps(upper.hi))};
  }
  static void store_bytes(std::byte* p, Words a) {
    const __m256i shorts = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.lo, a.hi), 0xd8);  // undo the packs' halves
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(shorts), _mm256_extracti128_si256(shorts, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }
  static Floats lookup(Floats table, Words codes) {
    return {lookup_eight(table, codes.lo), lookup_eight(table, codes.hi)};
  }

 private:
  static Floats magnitude(Floats a) {
    const __m256 bits = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
    return {_mm256_and_ps(a.lo, bits), _mm256_and_ps(a.hi, bits)};
  }
  // The permutation reads three bits of a code; the fourth, moved to the sign, chooses the half of the table.
  static __m256 lookup_eight(Floats table, __m256i codes) {
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(table.lo, codes), _mm256_permutevar8x32_ps(table.hi, codes),
                            _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)));
  }
  static __m128 reduce_to_four(Floats a) {
    const __m256 eight = _mm256_add_ps(a.lo, a.hi);
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  }
  static __m128i load_eight(const std::uint16_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
};

}  // namespace qzo::kernels
