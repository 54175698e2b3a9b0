#include "qzo/kernels/quant_matmul.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "qzo/core/half.h"

#include "reference/block_weight.h"
#include "reference/packed_weight.h"
#include "reference/value_weight.h"

namespace qzo::kernels {
namespace {

template <class T>
T read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

int nibble_of_block(const std::byte* sixteen_bytes, std::int64_t i) {
  const int byte = std::to_integer<int>(sixteen_bytes[i % 16]);
  return i < 16 ? byte & 15 : byte >> 4;
}

// W[n, k] by the definition of its layout, rounded to fp32 as the formats do.
float weight_at(const CodeView& w, const ScaleView& scale, std::int64_t n, std::int64_t k) {
  const std::int64_t block = n * (w.in / 32) + k / 32;
  const std::int64_t i = k % 32;
  switch (w.layout) {
    case Layout::kDenseF32:
      return read<float>(w.codes + (n * w.in + k) * 4);
    case Layout::kDenseF16:
      return core::half_to_float(read<std::uint16_t>(w.codes + (n * w.in + k) * 2));
    case Layout::kDenseBF16:
      return core::bfloat16_to_float(read<std::uint16_t>(w.codes + (n * w.in + k) * 2));
    case Layout::kGptq4: {
      const std::int64_t group = w.group_of != nullptr ? w.group_of[k] : k / w.group;
      const auto word = read<std::uint32_t>(w.codes + (k / 8 * w.out + n) * 4);
      const int code =
          static_cast<int>(word >> (k % 8 * 4) & 15U) - (w.zeros != nullptr ? w.zeros[group * w.out + n] : w.zero);
      return scale.scales[group * w.out + n] * static_cast<float>(code);
    }
    case Layout::kGptq2:
    case Layout::kGptq3:
    case Layout::kGptq8:
    case Layout::kAwq4:
    case Layout::kRows4:
    case Layout::kRows8:
    case Layout::kHqq4:
    case Layout::kHqq8:
    case Layout::kHqq4Axis0:
    case Layout::kHqq8Axis0:
      return packed_weight_at(w, scale, n, k);
    case Layout::kQ4_0:
      return scale.scales[block] * static_cast<float>(nibble_of_block(w.codes + block * 18 + 2, i) - 8);
    case Layout::kQ4_1:
      return std::fma(scale.scales[block], static_cast<float>(nibble_of_block(w.codes + block * 20 + 4, i)),
                      scale.offsets[block]);
    case Layout::kQ8_0:
      return scale.scales[block] * static_cast<float>(read<std::int8_t>(w.codes + block * 34 + 2 + i));
    case Layout::kQ5_0:
    case Layout::kQ5_1:
    case Layout::kQ4_K:
    case Layout::kQ5_K:
    case Layout::kQ6_K:
      return block_weight_at(w, scale, n, k);
    case Layout::kTable4:
      return table_weight_at(w, scale, n, k);
    case Layout::kAqlm:
      return aqlm_weight_at(w, scale, n, k);
  }
  return NAN;
}

}  // namespace

void reference_quant_matmul(const MatmulProblem& problem) {
  const CodeView& w = problem.weight;
  for (std::int64_t row = 0; row < problem.rows; ++row) {
    const ScaleView& scale = row < problem.split ? problem.plus : problem.minus;
    for (std::int64_t n = 0; n < w.out; ++n) {
      double sum = 0;
      for (std::int64_t k = 0; k < w.in; ++k)
        sum += static_cast<double>(problem.x[row * problem.ldx + k]) * static_cast<double>(weight_at(w, scale, n, k));
      if (problem.bias != nullptr) sum += static_cast<double>(problem.bias[n]);
      problem.y[row * problem.ldy + n] = static_cast<float>(sum);
    }
  }
}

}  // namespace qzo::kernels
