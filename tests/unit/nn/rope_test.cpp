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
  const std::vector<float> f = inverse_frequencies(
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

void expect_near(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6 * expected[i]) << i;
}

// Expected numbers of the next three: transformers 5.23, ROPE_INIT_FUNCTIONS with heads of 16.
TEST(Rope, Yarn) {
  RopeSettings yarn{.width = 16, .scaling = RopeScaling::kYarn, .factor = 4, .original_positions = 64};
  expect_near(inverse_frequencies(yarn, 1), {1.0F, 0.237170815F, 0.049999997F, 0.00790569466F, 0.00249999994F,
                                             0.000790569466F, 0.000250000012F, 7.90569466e-05F});
  yarn.theta = 500;
  yarn.factor = 8;
  yarn.fast_turns = 16;
  yarn.slow_turns = 2;
  yarn.whole_ramp = false;
  expect_near(inverse_frequencies(yarn, 1), {1.0F, 0.267844468F, 0.0348694324F, 0.0121561559F, 0.00559017016F,
                                             0.0025707141F, 0.00118217699F, 0.000543639821F});
}

TEST(Rope, DynamicGrowsWithTheLongestSequence) {
  const RopeSettings dynamic{.width = 16, .scaling = RopeScaling::kDynamic, .factor = 2, .original_positions = 256};
  EXPECT_EQ(inverse_frequencies(dynamic, 256), inverse_frequencies({.width = 16}, 1));
  expect_near(inverse_frequencies(dynamic, 700), {1.0F, 0.25533849F, 0.0651977435F, 0.0166474916F, 0.00425074529F,
                                                  0.00108537893F, 0.000277139014F, 7.07642612e-05F});
}

TEST(Rope, LongRopeHasTwoSetsOfDivisors) {
  const RopeSettings rope{.width = 16,
                          .scaling = RopeScaling::kLongRope,
                          .original_positions = 64,
                          .short_divisors = {1, 1.1F, 1.2F, 1.3F, 1.4F, 1.5F, 1.6F, 1.7F},
                          .long_divisors = {1, 2, 3, 4, 5, 6, 7, 8}};
  expect_near(inverse_frequencies(rope, 64), {1.0F, 0.287479758F, 0.0833333358F, 0.0243252143F, 0.00714285718F,
                                              0.00210818532F, 0.000624999986F, 0.000186016332F});
  expect_near(inverse_frequencies(rope, 65), {1.0F, 0.158113882F, 0.0333333351F, 0.00790569466F, 0.00200000009F,
                                              0.00052704633F, 0.000142857141F, 3.95284733e-05F});
}

TEST(Rope, TableIsMadeAgainForOtherFrequenciesOrMorePositions) {
  Rope rope({.width = 4,
             .scaling = RopeScaling::kLongRope,
             .original_positions = 10,
             .short_divisors = {1, 2},
             .long_divisors = {1, 4},
             .table_factor = 1.5});
  EXPECT_FLOAT_EQ(rope.table(10).sine[2 * 3 + 1], 1.5F * std::sin(3 * 0.01F / 2));
  EXPECT_FLOAT_EQ(rope.table(11).sine[2 * 3 + 1], 1.5F * std::sin(3 * 0.01F / 4));
  EXPECT_FLOAT_EQ(rope.table(4).sine[2 * 3 + 1], 1.5F * std::sin(3 * 0.01F / 2));
  EXPECT_EQ(rope.table(300).positions, 512);
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
