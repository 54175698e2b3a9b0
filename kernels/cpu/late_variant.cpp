#include "cpu/late_variant.h"

namespace qzo::kernels {

// In the float kernels zero points cost nothing: the panel holds q - z. The int8 panel holds the codes themselves.
Shift shift_of(const CodeView& weight, LateInputs inputs) {
  if (has_offsets(weight.layout)) return Shift::kOffsets;
  if (inputs != LateInputs::kInt8) return Shift::kNone;
  if (weight.zeros != nullptr) return Shift::kOffsets;
  return Shift::kConstant;
}

std::int32_t constant_zero(const CodeView& weight) { return weight.layout == Layout::kQ4_0 ? 8 : weight.zero; }

const LateKernel& late_kernel(LateInputs inputs) {
  const bool int8 = inputs == LateInputs::kInt8;
  switch (active_isa()) {
    case Isa::kAvx512Bf16:
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
