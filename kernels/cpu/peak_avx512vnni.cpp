#include <immintrin.h>

#include "cpu/peak.h"

namespace qzo::kernels {

double peak_int8_avx512(std::int64_t rounds) {
  const __m512i codes = _mm512_set1_epi8(1), activations = _mm512_set1_epi8(2);
  return run_chains(rounds, _mm512_setzero_si512(), 2 * 64,
                    [&](__m512i& sum) { sum = _mm512_dpbusd_epi32(sum, codes, activations); });
}

}  // namespace qzo::kernels
