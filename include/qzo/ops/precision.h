#pragma once
// How matrix products are computed. Norms, residual stream, attention, logits and losses are fp32 in every mode.

#include <cstdint>
#include <string>

namespace qzo::ops {

enum class Precision : std::uint8_t {
  kFp32,  // our fused unpack-and-multiply kernel: exact weights, fp32 fma
  kBf16,  // weights, activations and the product itself rounded to bf16 (at::linear, sums in fp32), widened to fp32
};

// auto: bf16 where the CPU has AVX512_BF16, fp32 elsewhere.
Precision auto_precision();
std::string precision_name(Precision precision);

}  // namespace qzo::ops
