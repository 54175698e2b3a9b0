#pragma once
// Arithmetic ceilings of one core: products of registers with registers, no memory. What a kernel's rate is divided by.

#include <cstdint>

namespace qzo::kernels {

enum class PeakKind : std::uint8_t {
  kFp32,  // fused multiply-adds
  kBf16,  // vdpbf16ps
  kInt8,  // vpdpbusd, or pairs of bytes added up in 16 bits (AVX2)
};

// Runs `rounds` rounds on this thread with the active instruction set; returns the operations done (a multiply and an
// add are two). 0, at once, where the instruction set has no vector instruction of the kind.
double run_peak(PeakKind kind, std::int64_t rounds);

}  // namespace qzo::kernels
