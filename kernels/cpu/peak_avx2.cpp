#include <immintrin.h>

#include "cpu/peak.h"

namespace qzo::kernels {

double peak_fp32_avx2(std::int64_t rounds) {
  const __m256 a = _mm256_set1_ps(0.5F), b = _mm256_set1_ps(1.0F);
  return run_chains(rounds, b, 2 * 8, [&](__m256& sum) { sum = _mm256_fmadd_ps(a, b, sum); });
}

double peak_int8_avx2(std::int64_t rounds) {
  const __m256i codes = _mm256_set1_epi8(1), activations = _mm256_set1_epi8(2);
  return run_chains(rounds, _mm256_setzero_si256(), 2 * 32, [&](__m256i& sum) {
    __m256i w = codes;
    asm volatile("" : "+v"(w));  // a product of constants would be taken out of the loop
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, activations));
  });
}

}  // namespace qzo::kernels
