#include "qzo/ops/precision.h"

#include "qzo/kernels/cpu_features.h"

namespace qzo::ops {

Precision auto_precision() {
  return kernels::isa_supported(kernels::Isa::kAvx512Bf16) ? Precision::kBf16 : Precision::kFp32;
}

std::string precision_name(Precision precision) { return precision == Precision::kFp32 ? "fp32" : "bf16"; }

}  // namespace qzo::ops
