#include "cpu/late_variant.h"

namespace qzo::kernels {

// In the float kernels zero points cost nothing: the panel holds q - z. The int8 panel holds the codes themselves.
Shift shift_of(const CodeView& weight, LateInputs inputs) {
  if (has_offsets(weight.layout)) return Shift::kOffsets;
  if (inputs != LateInputs::kInt8) return Shift::kNone;
  if (weight.zeros != nullptr) return Shift::kOffsets;
  return Shift::kConstant;
}

std::int32_t constant_zero(const CodeView& weight) {
  switch (weight.layout) {
    case Layout::kQ4_0:
      return 8;
    case Layout::kQ5_0:
      return 16;
    case Layout::kQ6_K:
      return 32;
    case Layout::kQ8_0:
      return 128;
    default:
      return weight.zero;
  }
}

bool has_byte_codes(const CodeView& weight) {
  return weight.layout == Layout::kQ8_0 || packed_bits(weight.layout) == 8;
}

std::int64_t inputs_in_16_bits(const CodeView& weight) {
  switch (weight.layout) {
    case Layout::kQ5_0:
    case Layout::kQ5_1:
    case Layout::kQ5_K:
      return 16;
    case Layout::kQ6_K:
      return 8;
    default:
      return 32;
  }
}

const LateKernel& late_kernel(const CodeView& weight, LateInputs inputs) {
  const bool int8 = inputs == LateInputs::kInt8;
  // Two parts of both factors would take three bf16 products for every two of fp32, which need no parts at all.
  const bool fp32_products = inputs == LateInputs::kBf16x2 && has_float_codes(weight.layout);
  switch (active_isa()) {
    case Isa::kAvx512Bf16:
      if (fp32_products) return late_float_avx512(inputs);
      return int8 ? late_int8_avx512() : late_bf16_avx512(inputs);
    case Isa::kAvx512Vnni:
      return int8 ? late_int8_avx512() : late_float_avx512(inputs);
    case Isa::kAvx512:
      return int8 ? late_int8_avx2() : late_float_avx512(inputs);
    case Isa::kAvx2:
      return int8 ? late_int8_avx2() : late_float_avx2(inputs);
    case Isa::kPortable:
      break;
  }
  return int8 ? late_int8_portable() : late_float_portable(inputs);
}

}  // namespace qzo::kernels
