#include "qzo/quantize/grid.h"

#include <algorithm>
#include <cmath>

#include "qzo/core/half.h"

namespace qzo::quantize {
namespace {

constexpr float kLeastHalf = 0x1p-24F;

float as_half(float value) { return core::half_to_float(core::float_to_half(value)); }

// Never 0: codes of a group that is all but zero still need a step.
float step(float range, int steps) { return std::max(as_half(range / static_cast<float>(steps)), kLeastHalf); }

Grid symmetric(float least, float most, int largest) {
  // Of a group of zeros any step will do; 1 is what other writers come near to.
  const float reach = std::max(-least, most);
  return {.scale = reach == 0 ? 1.0F : step(2 * reach, largest), .zero = (largest + 1) / 2};
}

Grid asymmetric(float least, float most, int largest) {
  if (least == 0 && most == 0) return {.scale = 1, .zero = (largest + 1) / 2};
  // Nothing below zero: the lowest code is left to one step below it.
  if (least == 0) return {.scale = step(most, largest - 1), .zero = 1};
  const float scale = step(most - least, largest);
  const float zero = std::nearbyint(-least / scale);
  return {.scale = scale, .zero = static_cast<std::int32_t>(std::clamp(zero, 1.0F, static_cast<float>(largest)))};
}

}  // namespace

std::int32_t Grid::code(float weight, int largest_code) const {
  if (scale == 0) return zero;
  const float nearest = std::nearbyint((weight - minimum) / scale) + static_cast<float>(zero);
  return static_cast<std::int32_t>(std::clamp(nearest, 0.0F, static_cast<float>(largest_code)));
}

Grid fit_grid(const GridRule& rule, std::span<const float> weights) {
  const auto [lowest, highest] = std::ranges::minmax_element(weights);
  const float least = std::min(*lowest, 0.0F), most = std::max(*highest, 0.0F);
  switch (rule.kind) {
    case GridKind::kSymmetric:
      return symmetric(least, most, rule.largest_code());
    case GridKind::kAsymmetric:
      return asymmetric(least, most, rule.largest_code());
    case GridKind::kQ4_0:
      return {.scale = as_half((-least > most ? least : most) / -8), .zero = 8};
    case GridKind::kQ4_1:
      return {.scale = as_half((*highest - *lowest) / 15), .zero = 0, .minimum = as_half(*lowest)};
  }
  return {};
}

}  // namespace qzo::quantize
