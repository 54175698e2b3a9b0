#include "qzo/nn/rope.h"

#include <algorithm>
#include <bit>
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

// Index, not rounded, of the frequency that makes so many turns over the original positions.
double yarn_index(const RopeSettings& settings, double turns) {
  return static_cast<double>(settings.width) * std::log(settings.original_positions / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(settings.theta));
}

double yarn_frequency(const RopeSettings& settings, std::size_t index, double frequency) {
  double low = yarn_index(settings, settings.fast_turns), high = yarn_index(settings, settings.slow_turns);
  if (settings.whole_ramp) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(settings.width - 1));
  if (low == high) high += 0.001;
  const double stretched = std::clamp((static_cast<double>(index) - low) / (high - low), 0.0, 1.0);
  return frequency / settings.factor * stretched + frequency * (1 - stretched);
}

double dynamic_theta(const RopeSettings& settings, std::int64_t longest) {
  const double ratio = std::max(1.0, static_cast<double>(longest) / settings.original_positions);
  const auto width = static_cast<double>(settings.width);
  return settings.theta * std::pow(settings.factor * ratio - (settings.factor - 1), width / (width - 2));
}

const std::vector<float>& long_rope_divisors(const RopeSettings& settings, std::int64_t longest) {
  const bool is_long = static_cast<double>(longest) > settings.original_positions;
  const std::vector<float>& divisors = is_long ? settings.long_divisors : settings.short_divisors;
  QZO_CHECK(static_cast<std::int64_t>(divisors.size()) == settings.width / 2, divisors.size(), " divisors for ",
            settings.width / 2, " frequencies");
  return divisors;
}

double scaled(const RopeSettings& settings, std::size_t index, double frequency, std::int64_t longest) {
  switch (settings.scaling) {
    case RopeScaling::kNone:
    case RopeScaling::kDynamic:
      return frequency;
    case RopeScaling::kLinear:
      return frequency / settings.factor;
    case RopeScaling::kLlama3:
      return llama3_frequency(settings, frequency);
    case RopeScaling::kYarn:
      return yarn_frequency(settings, index, frequency);
    case RopeScaling::kLongRope:
      return frequency / static_cast<double>(long_rope_divisors(settings, longest)[index]);
  }
  QZO_CHECK(false, "rope scaling ", static_cast<int>(settings.scaling));
}

}  // namespace

std::vector<float> inverse_frequencies(const RopeSettings& settings, std::int64_t longest) {
  QZO_CHECK(settings.width > 0 && settings.width % 2 == 0, "width ", settings.width);
  const auto half = static_cast<std::size_t>(settings.width / 2);
  QZO_CHECK(settings.divisors.empty() || settings.divisors.size() == half, settings.divisors.size(), " divisors for ",
            half, " frequencies");
  const double theta = settings.scaling == RopeScaling::kDynamic ? dynamic_theta(settings, longest) : settings.theta;
  std::vector<float> frequencies(half);
  for (std::size_t i = 0; i < half; ++i) {
    double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(settings.width));
    frequency = scaled(settings, i, frequency, longest);
    if (!settings.divisors.empty()) frequency /= static_cast<double>(settings.divisors[i]);
    frequencies[i] = static_cast<float>(frequency);
  }
  return frequencies;
}

ops::RopeTable rope_table(const std::vector<float>& inverse_frequencies, std::int64_t positions, float factor) {
  ops::RopeTable table;
  table.positions = positions;
  table.half_dim = static_cast<std::int64_t>(inverse_frequencies.size());
  table.cosine.reserve(static_cast<std::size_t>(positions) * inverse_frequencies.size());
  table.sine.reserve(table.cosine.capacity());
  for (std::int64_t position = 0; position < positions; ++position) {
    for (const float frequency : inverse_frequencies) {
      const double angle = static_cast<double>(static_cast<float>(position) * frequency);
      table.cosine.push_back(static_cast<float>(std::cos(angle)) * factor);
      table.sine.push_back(static_cast<float>(std::sin(angle)) * factor);
    }
  }
  return table;
}

const ops::RopeTable& Rope::table(std::int64_t longest) {
  std::vector<float> frequencies = inverse_frequencies(settings_, longest);
  if (longest <= table_.positions && frequencies == frequencies_) return table_;
  frequencies_ = std::move(frequencies);
  const auto positions = std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(longest, 256)));
  table_ = rope_table(frequencies_, static_cast<std::int64_t>(positions), static_cast<float>(settings_.table_factor));
  return table_;
}

}  // namespace qzo::nn
