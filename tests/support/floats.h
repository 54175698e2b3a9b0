#pragma once
// Arrays of float sized and indexed by std::int64_t, as the kernels count.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace qzo::test {

class Floats : public std::vector<float> {
 public:
  Floats() = default;
  Floats(std::initializer_list<float> values) : std::vector<float>(values) {}
  static Floats filled(std::int64_t count, float value = 0.0F) {
    Floats result;
    result.assign(static_cast<std::size_t>(count), value);
    return result;
  }
  static Floats random(std::int64_t count, float range = 1.0F, unsigned seed = 1) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> uniform(-range, range);
    Floats result = filled(count);
    for (float& value : result) value = uniform(generator);
    return result;
  }

  float& operator[](std::int64_t i) { return data()[i]; }
  const float& operator[](std::int64_t i) const { return data()[i]; }
};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  const auto bits = [](float value) { return std::bit_cast<std::uint32_t>(value); };
  return std::ranges::equal(a, b, {}, bits, bits);
}

}  // namespace qzo::test
