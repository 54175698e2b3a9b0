#pragma once
// One scale as a file stores it (F16, BF16 or F32, little-endian, unaligned).

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "qzo/core/check.h"
#include "qzo/core/dtype.h"
#include "qzo/core/half.h"

namespace qzo::quant {

inline float read_scale(core::Dtype dtype, const std::byte* at) {
  if (dtype == core::Dtype::kF32) {
    float value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return dtype == core::Dtype::kF16 ? core::half_to_float(bits) : core::bfloat16_to_float(bits);
}

// Nearest even; what read_scale gave comes back with the same bytes.
inline void write_scale(core::Dtype dtype, float value, std::byte* at) {
  if (dtype == core::Dtype::kF32) {
    std::memcpy(at, &value, sizeof(value));
    return;
  }
  const std::uint16_t bits = dtype == core::Dtype::kF16 ? core::float_to_half(value) : core::float_to_bfloat16(value);
  std::memcpy(at, &bits, sizeof(bits));
}

inline float round_scale(core::Dtype dtype, float value) {
  switch (dtype) {
    case core::Dtype::kF32:
      return value;
    case core::Dtype::kF16:
      return core::half_to_float(core::float_to_half(value));
    case core::Dtype::kBF16:
      return core::bfloat16_to_float(core::float_to_bfloat16(value));
    default:
      QZO_CHECK(false, "scales of dtype ", core::dtype_info(dtype).name);
  }
}

inline float smallest_normal(core::Dtype dtype) { return dtype == core::Dtype::kF16 ? 0x1p-14F : 0x1p-126F; }

}  // namespace qzo::quant
