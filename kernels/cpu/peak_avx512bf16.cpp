#include <immintrin.h>

#include "cpu/peak.h"

namespace qzo::kernels {

double peak_bf16_avx512(std::int64_t rounds) {
  const auto ones = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f80));
  return run_chains(rounds, _mm512_setzero_ps(), 2 * 32, [&](__m512& sum) { sum = _mm512_dpbf16_ps(sum, ones, ones); });
}

}  // namespace qzo::kernels
