#include "qzo/ops/precision.h"

#include "qzo/core/check.h"

namespace qzo::ops {

std::string precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kBf16x2:
      return "bf16x2";
    case Precision::kInt8:
      return "int8";
  }
  return "unknown";
}

Precision precision_from(std::string_view name) {
  for (const Precision precision : kAllPrecisions)
    if (precision_name(precision) == name) return precision;
  QZO_CHECK(false, "no precision is called ", name);
  return Precision::kFp32;
}

std::optional<kernels::LateInputs> late_inputs(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return std::nullopt;
    case Precision::kBf16:
      return kernels::LateInputs::kBf16;
    case Precision::kBf16x2:
      return kernels::LateInputs::kBf16x2;
    case Precision::kInt8:
      return kernels::LateInputs::kInt8;
  }
  return std::nullopt;
}

}  // namespace qzo::ops
