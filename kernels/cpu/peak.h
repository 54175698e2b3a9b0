#pragma once
// Loops of one instruction each; see qzo/kernels/peak.h.

#include <cstdint>

namespace qzo::kernels {

// Each returns the operations done.
double peak_fp32_avx2(std::int64_t rounds);
double peak_int8_avx2(std::int64_t rounds);
double peak_fp32_avx512(std::int64_t rounds);
double peak_int8_avx512(std::int64_t rounds);
double peak_bf16_avx512(std::int64_t rounds);

// kChains independent chains hide the latency of one; `step` makes the next link.
inline constexpr unsigned kChains = 12;
template <class Vector, class Step>
double run_chains(std::int64_t rounds, Vector start, double operations, const Step& step) {
  Vector chains[kChains];
#pragma GCC unroll 12
  for (unsigned c = 0; c < kChains; ++c) chains[c] = start;  // unrolled, or the chains would live in memory
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (unsigned c = 0; c < kChains; ++c) {
      step(chains[c]);
      asm volatile("" : "+v"(chains[c]));  // neither folded nor dropped
    }
  }
  return operations * kChains * static_cast<double>(rounds);
}

}  // namespace qzo::kernels
