#include <immintrin.h>

#include "cpu/peak.h"

namespace qzo::kernels {

double peak_fp32_avx512(std::int64_t rounds) {
  const __m512 a = _mm512_set1_ps(0.5F), b = _mm512_set1_ps(1.0F);
  return run_chains(rounds, b, 2 * 16, [&](__m512& sum) { sum = _mm512_fmadd_ps(a, b, sum); });
}

}  // namespace qzo::kernels
