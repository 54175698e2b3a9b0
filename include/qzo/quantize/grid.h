#pragma once
// The values that the codes of one group can stand for: scale * (code - zero) + minimum, codes 0 to 2^bits - 1. How a
// grid is laid over the weights of a group:
//
//   kSymmetric   scale = 2 max|w| / (2^bits - 1), zero = 2^(bits - 1)          (GPTQ, sym = true)
//   kAsymmetric  from min(w, 0) to max(w, 0), zero the nearest integer          (GPTQ, sym = false)
//   kQ4_0        scale = w of largest magnitude / -8, zero = 8; may be negative (ggml block_q4_0)
//   kQ4_1        scale = (max - min) / 15, minimum = min(w)                     (ggml block_q4_1)
//
// Scales and minima are rounded to half, as they are stored, before any code is chosen. A zero point of 0 is never
// made: gptq (v1) files store zero - 1, and readers disagree about what 0 becomes there (quant/formats/gptq.h).

#include <cstdint>
#include <span>

namespace qzo::quantize {

enum class GridKind : std::uint8_t { kSymmetric, kAsymmetric, kQ4_0, kQ4_1 };

struct GridRule {
  GridKind kind = GridKind::kSymmetric;
  int bits = 4;  // kQ4_0, kQ4_1: 4

  [[nodiscard]] int largest_code() const { return (1 << bits) - 1; }
};

struct Grid {
  float scale = 0;  // 0: all values are the minimum. Infinite: the weights are beyond the range of half
  std::int32_t zero = 0;
  float minimum = 0;

  // As the readers of the formats compute it, to the bit.
  [[nodiscard]] float value(std::int32_t code) const {
    return scale * static_cast<float>(code - zero) + minimum;  // not contracted
  }
  // The code whose value is nearest; halves to even, as torch rounds.
  [[nodiscard]] std::int32_t code(float weight, int largest_code) const;
};

// weights: of one group, at least one, finite.
Grid fit_grid(const GridRule& rule, std::span<const float> weights);

}  // namespace qzo::quantize
