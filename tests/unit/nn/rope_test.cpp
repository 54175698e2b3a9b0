#include "qzo/nn/rope.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace qzo::nn {
namespace {

TEST(Rope, PlainFrequencies) {
  const std::vector<float> f = inverse_frequencies({.theta = 10000, .width = 8}, 1);
  ASSERT_EQ(f.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_FLOAT_EQ(f[i], static_cast<float>(std::pow(10.0, -static_cast<double>(i))));
}

TEST(Rope, LinearScalingAndDivisors) {
  const std::vector<float> f =
      inverse_frequencies(
      {.theta = 10000, .width = 8, .scaling = RopeScaling::kLinear, .factor = 4, .divisors = {1, 2, 1, 8}}, 1);
  EXPECT_FLOAT_EQ(f[0], 0.25F);
  EXPECT_FLOAT_EQ(f[1], 0.1F / 8);
  EXPECT_FLOAT_EQ(f[3], 0.001F / 32);
}

// Wavelengths 6.28, 62.8, 628, 6283 against bands at 1024/4 = 256 and 1024/1 = 1024.
TEST(Rope, Llama3KeepsShortWavesAndStretchesLongOnes) {
  const std::vector<float> f = inverse_frequencies({.theta = 10000,
                                                    .width = 8,
                                                    .scaling = RopeScaling::kLlama3,
                                                    .factor = 8,
                                                    .original_positions = 1024,
                                                    .low_frequency_factor = 1,
                                                    .high_frequency_factor = 4},
                                                   1);
  EXPECT_FLOAT_EQ(f[0], 1.0F);
  EXPECT_FLOAT_EQ(f[1], 0.1F);
  const double kept = (1024 * 0.01 / (2 * std::numbers::pi) - 1) / 3;
  EXPECT_FLOAT_EQ(f[2], static_cast<float>(0.01 * (kept + (1 - kept) / 8)));
  EXPECT_FLOAT_EQ(f[3], 0.001F / 8);
}

TEST(Rope, TableHoldsEveryPosition) {
  const ops::RopeTable table = rope_table({1.0F, 0.1F}, 5);
  EXPECT_EQ(table.positions, 5);
  EXPECT_EQ(table.half_dim, 2);
  ASSERT_EQ(table.cosine.size(), 10u);
  EXPECT_FLOAT_EQ(table.cosine[0], 1.0F);
  EXPECT_FLOAT_EQ(table.sine[6], std::sin(3.0F));
  EXPECT_FLOAT_EQ(table.cosine[9], std::cos(0.4F));
}

}  // namespace
}  // namespace qzo::nn
