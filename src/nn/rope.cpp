#include "qzo/nn/rope.h"

#include <cmath>
#include <numbers>

#include "qzo/core/check.h"

namespace qzo::nn {
namespace {

double llama3_frequency(const RopeSettings& settings, double frequency) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength > settings.original_positions / settings.low_frequency_factor) return frequency / settings.factor;
  if (wavelength < settings.original_positions / settings.high_frequency_factor) return frequency;
  const double kept = (settings.original_positions / wavelength - settings.low_frequency_factor) /
                      (settings.high_frequency_factor - settings.low_frequency_factor);
  return (1 - kept) * frequency / settings.factor + kept * frequency;
}

}  // namespace

std::vector<float> inverse_frequencies(const RopeSettings& settings, std::int64_t head_dim) {
  QZO_CHECK(head_dim > 0 && head_dim % 2 == 0, "head_dim ", head_dim);
  const auto half = static_cast<std::size_t>(head_dim / 2);
  QZO_CHECK(settings.divisors.empty() || settings.divisors.size() == half, settings.divisors.size(), " divisors for ",
            half, " frequencies");
  std::vector<float> frequencies(half);
  for (std::size_t i = 0; i < half; ++i) {
    double frequency = std::pow(settings.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    switch (settings.scaling) {
      case RopeScaling::kNone:
        break;
      case RopeScaling::kLinear:
        frequency /= settings.factor;
        break;
      case RopeScaling::kLlama3:
        frequency = llama3_frequency(settings, frequency);
        break;
    }
    if (!settings.divisors.empty()) frequency /= static_cast<double>(settings.divisors[i]);
    frequencies[i] = static_cast<float>(frequency);
  }
  return frequencies;
}

ops::RopeTable rope_table(const std::vector<float>& inverse_frequencies, std::int64_t positions) {
  ops::RopeTable table;
  table.positions = positions;
  table.half_dim = static_cast<std::int64_t>(inverse_frequencies.size());
  table.cosine.reserve(static_cast<std::size_t>(positions) * inverse_frequencies.size());
  table.sine.reserve(table.cosine.capacity());
  for (std::int64_t position = 0; position < positions; ++position) {
    for (const float frequency : inverse_frequencies) {
      const double angle = static_cast<double>(static_cast<float>(position) * frequency);
      table.cosine.push_back(static_cast<float>(std::cos(angle)));
      table.sine.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  return table;
}

}  // namespace qzo::nn
