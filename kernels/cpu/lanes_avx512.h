#pragma once
// Sixteen lanes as one AVX-512 register; meaning of each operation in lanes_portable.h. Only for *_avx512.cpp files.

#include <cstddef>
#include <cstdint>

// gcc 12 warns of its own _mm512_undefined_ps, which it defines as `__m512 y = y` (gcc bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

namespace qzo::kernels {

struct Avx512Lanes {
  static constexpr int kTileRows = 14;  // 14 independent chains hide the latency of two FMA units
  struct Floats {
    __m512 v;
  };
  struct Words {
    __m512i v;
  };

  static Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static void store(float* p, Floats a) { _mm512_storeu_ps(p, a.v); }
  static Floats broadcast(float a) { return {_mm512_set1_ps(a)}; }
  static Floats zero() { return {_mm512_setzero_ps()}; }
  static Floats add(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
  static Floats sub(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
  static Floats mul(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
  static Floats div(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
  static Floats sqrt(Floats a) { return {_mm512_sqrt_ps(a.v)}; }
  static Floats ceil(Floats a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
  static Floats fma(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static Floats max(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
  static Floats min(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }

  // Not _mm512_reduce_add_ps: the order of its additions is the compiler's.
  static float reduce_add(Floats a) {
    const __m128 four = reduce_to_four(a);
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float reduce_max(Floats a) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static void reduce_add4(Floats a, Floats b, Floats c, Floats d, float* out) {
    __m128 r0 = reduce_to_four(a), r1 = reduce_to_four(b), r2 = reduce_to_four(c), r3 = reduce_to_four(d);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(out, _mm_add_ps(_mm_add_ps(r0, r2), _mm_add_ps(r1, r3)));
  }

  static Words load_words(const std::uint32_t* p) { return {_mm512_loadu_si512(p)}; }
  static Words broadcast_word(std::uint32_t a) { return {_mm512_set1_epi32(static_cast<int>(a))}; }
  static Words add(Words a, Words b) { return {_mm512_add_epi32(a.v, b.v)}; }
  static Words sub(Words a, Words b) { return {_mm512_sub_epi32(a.v, b.v)}; }
  static Words bit_and(Words a, Words b) { return {_mm512_and_si512(a.v, b.v)}; }
  static Words bit_or(Words a, Words b) { return {_mm512_or_si512(a.v, b.v)}; }
  static Words bit_xor(Words a, Words b) { return {_mm512_xor_si512(a.v, b.v)}; }
  static Words greater(Words a, Words b) { return {_mm512_movm_epi32(_mm512_cmpgt_epi32_mask(a.v, b.v))}; }
  static Words max_signed(Words a, Words b) { return {_mm512_max_epi32(a.v, b.v)}; }
  static std::int32_t reduce_max_signed(Words a) { return _mm512_reduce_max_epi32(a.v); }
  static std::uint32_t reduce_add(Words a) { return static_cast<std::uint32_t>(_mm512_reduce_add_epi32(a.v)); }
  static Words shift_left(Words a, int bits) { return {_mm512_sll_epi32(a.v, _mm_cvtsi32_si128(bits))}; }
  static Words shift_right(Words a, int bits) { return {_mm512_srl_epi32(a.v, _mm_cvtsi32_si128(bits))}; }
  static Words shift_right_signed(Words a, int bits) { return {_mm512_sra_epi32(a.v, _mm_cvtsi32_si128(bits))}; }
  static Floats signed_to_float(Words a) { return {_mm512_cvtepi32_ps(a.v)}; }
  static Words nearest_signed(Floats a) { return {_mm512_cvtps_epi32(a.v)}; }
  static Words float_to_signed(Floats a) { return {_mm512_cvttps_epi32(a.v)}; }
  static Words bits_of(Floats a) { return {_mm512_castps_si512(a.v)}; }
  static Floats float_of(Words a) { return {_mm512_castsi512_ps(a.v)}; }
  static Floats load_half(const std::uint16_t* p) { return {_mm512_cvtph_ps(load_sixteen(p))}; }
  static Floats load_bfloat16(const std::uint16_t* p) {
    return float_of(shift_left({_mm512_cvtepu16_epi32(load_sixteen(p))}, 16));
  }
  static Words load_nibbles(const std::uint8_t* p) {
    const __m512i shifts = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    std::int32_t half[2];
    __builtin_memcpy(half, p, sizeof half);
    const __m512i both = _mm512_inserti32x8(_mm512_set1_epi32(half[0]), _mm256_set1_epi32(half[1]), 1);
    return {_mm512_srlv_epi32(both, shifts)};
  }
  static void store_nibbles(std::uint8_t* p, Words a) {
    const __m128i pairs = _mm_maddubs_epi16(_mm512_cvtepi32_epi8(a.v), _mm_set1_epi16(0x1001));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(pairs, pairs));
  }
  // A lane of `all` has the codes of four vectors in its bytes.
  static void load_nibbles4(const std::uint8_t* p, Words (&a)[4]) {
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i pairs = _mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(bytes, order), byte_transpose());
    const __m512i even = _mm512_cvtepu32_epi64(pairs);
    const __m512i all = _mm512_or_si512(even, _mm512_slli_epi64(even, 28));
    a[0].v = all;
    a[1].v = _mm512_srli_epi32(all, 8);
    a[2].v = _mm512_srli_epi32(all, 16);
    a[3].v = _mm512_srli_epi32(all, 24);
  }
  static void store_nibbles4(std::uint8_t* p, const Words (&a)[4], std::uint32_t excess) {
    const __m512i low = _mm512_add_epi32(a[0].v, _mm512_slli_epi32(a[1].v, 8));
    const __m512i high = _mm512_add_epi32(_mm512_slli_epi32(a[2].v, 16), _mm512_slli_epi32(a[3].v, 24));
    const __m512i all = sub({_mm512_add_epi32(low, high)}, broadcast_word(excess * 0x01010101U)).v;
    const __m256i pairs = _mm512_cvtepi64_epi32(_mm512_or_si512(all, _mm512_srli_epi64(all, 28)));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(pairs, byte_transpose()), order));
  }
  static Words merge(Words mask, Words a, Words b) { return {_mm512_ternarylogic_epi32(mask.v, a.v, b.v, 0xCA)}; }
  static bool any(Words a) { return _mm512_test_epi32_mask(a.v, a.v) != 0; }
  static Floats most_magnitude(Floats a, Floats b) { return {_mm512_range_ps(a.v, b.v, 0x0B)}; }
  static Floats least_magnitude(Floats a, Floats b) { return {_mm512_range_ps(a.v, b.v, 0x0A)}; }
  static Floats lookup_pair(Floats low, Floats high, Words codes) {
    return {_mm512_permutex2var_ps(low.v, codes.v, high.v)};
  }
  static void store_bytes(std::byte* p, Words a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
  }
  static Floats lookup(Floats table, Words codes) { return {_mm512_permutexvar_ps(codes.v, table.v)}; }

 private:
  static __m128 reduce_to_four(Floats a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  }
  // In each half byte 4 i + j to 4 j + i.
  static __m256i byte_transpose() {
    return _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,  //
                            0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  }
  static __m256i load_sixteen(const std::uint16_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
};

}  // namespace qzo::kernels
