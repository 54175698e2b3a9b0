#pragma once
// How matrix products are computed. Norms, residual stream, attention, logits and losses are fp32 in every mode, and
// the 4-bit weights are exact: only the activations that enter a product are rounded.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "qzo/kernels/scale_late.h"

namespace qzo::ops {

enum class Precision : std::uint8_t {
  kFp32,    // nothing is rounded
  kBf16,    // activations to bf16
  kBf16x2,  // activations to two bf16 parts: nearly fp32
  kInt8,    // activations to int8, one scale for each row and group (at most 128 wide)
};

inline constexpr Precision kAllPrecisions[] = {Precision::kFp32, Precision::kBf16, Precision::kBf16x2,
                                               Precision::kInt8};

std::string precision_name(Precision precision);
// The inverse; InternalError for a name that is none.
Precision precision_from(std::string_view name);
// How the kernels see it; nothing for kFp32.
std::optional<kernels::LateInputs> late_inputs(Precision precision);

}  // namespace qzo::ops
