#include "qzo/quantize/grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace qzo::quantize {
namespace {

std::vector<float> random_weights(std::size_t count, unsigned seed, float shift = 0) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(shift, 0.05F);
  std::vector<float> weights(count);
  for (float& weight : weights) weight = normal(generator);
  return weights;
}

float nearest(const Grid& grid, int largest, float weight) { return grid.value(grid.code(weight, largest)); }

// Weights that lie on a grid of halves, its ends among them, come back to the bit.
TEST(Grid, weights_on_a_grid_stay) {
  constexpr float kStep = 0.03125F;
  for (const int bits : {2, 3, 4, 8}) {
    const int largest = (1 << bits) - 1, zero = largest / 3 + 1;
    std::vector<float> weights;
    for (int code = 0; code <= largest; ++code) weights.push_back(kStep * static_cast<float>(code - zero));
    const Grid grid = fit_grid({GridKind::kAsymmetric, bits}, weights);
    EXPECT_EQ(grid.zero, zero);
    for (const float weight : weights) EXPECT_EQ(nearest(grid, largest, weight), weight) << bits << " bits";
  }
  std::vector<float> weights;
  for (int code = 0; code < 16; ++code) weights.push_back(-kStep * static_cast<float>(code - 8));
  const Grid q4_0 = fit_grid({GridKind::kQ4_0, 4}, weights);
  EXPECT_EQ(q4_0.scale, -kStep) << "the largest magnitude is positive";
  for (float& weight : weights) {
    EXPECT_EQ(nearest(q4_0, 15, weight), weight);
    weight += 1;
  }
  const Grid q4_1 = fit_grid({GridKind::kQ4_1, 4}, weights);
  EXPECT_EQ(q4_1.minimum, 1 - 7 * kStep);
  for (const float weight : weights) EXPECT_EQ(nearest(q4_1, 15, weight), weight);
}

TEST(Grid, no_weight_is_further_away_than_half_a_step) {
  for (const GridRule rule :
       {GridRule{GridKind::kSymmetric, 4}, GridRule{GridKind::kSymmetric, 3}, GridRule{GridKind::kAsymmetric, 4},
        GridRule{GridKind::kAsymmetric, 8}, GridRule{GridKind::kQ4_1, 4}}) {
    for (unsigned seed = 0; seed < 50; ++seed) {
      const std::vector<float> weights = random_weights(1 + seed, seed, seed % 3 == 0 ? 0.04F : 0);
      const Grid grid = fit_grid(rule, weights);
      // A scale and a minimum are rounded to half, and a zero point to an integer: the far end may be cut by as much.
      float reach = 0;
      for (const float weight : weights) reach = std::max(reach, std::abs(weight));
      float slack =
          std::abs(grid.scale) * (0.5F + 0.0005F * static_cast<float>(rule.largest_code())) + reach * 0x1p-11F;
      if (rule.kind == GridKind::kAsymmetric) slack += grid.scale / 2;
      for (const float weight : weights)
        EXPECT_LE(std::abs(nearest(grid, rule.largest_code(), weight) - weight), slack);
    }
  }
}

TEST(Grid, every_code_is_the_nearest_one) {
  for (const GridKind kind : {GridKind::kSymmetric, GridKind::kAsymmetric, GridKind::kQ4_0, GridKind::kQ4_1}) {
    const std::vector<float> weights = random_weights(64, 7);
    const Grid grid = fit_grid({kind, 4}, weights);
    for (const float weight : weights) {
      float best = std::numeric_limits<float>::infinity();
      for (int code = 0; code < 16; ++code) best = std::min(best, std::abs(grid.value(code) - weight));
      EXPECT_FLOAT_EQ(std::abs(nearest(grid, 15, weight) - weight), best);
    }
  }
}

TEST(Grid, zero_points_of_0_are_not_made) {
  const std::vector<float> positive = {0.5F, 0.25F, 1};
  for (const int bits : {2, 3, 4, 8}) {
    const Grid grid = fit_grid({GridKind::kAsymmetric, bits}, positive);
    EXPECT_EQ(grid.zero, 1);
    EXPECT_NEAR(nearest(grid, (1 << bits) - 1, 1), 1, 1e-3);
  }
  EXPECT_EQ(fit_grid({GridKind::kAsymmetric, 4}, std::vector<float>{-1, -0.5F}).zero, 15);
}

TEST(Grid, groups_of_equal_weights) {
  const std::vector<float> zeros(32, 0.0F), threes(32, 3.0F);
  for (const GridKind kind : {GridKind::kSymmetric, GridKind::kAsymmetric, GridKind::kQ4_0, GridKind::kQ4_1}) {
    const Grid none = fit_grid({kind, 4}, zeros);
    EXPECT_EQ(nearest(none, 15, 0), 0);
    EXPECT_TRUE(std::isfinite(none.scale));
    EXPECT_NEAR(nearest(fit_grid({kind, 4}, threes), 15, 3), 3, 0.21);
  }
  EXPECT_EQ(fit_grid({GridKind::kQ4_1, 4}, threes).minimum, 3);
}

TEST(Grid, weights_beyond_the_range_of_half_show_in_the_scale) {
  for (const GridKind kind : {GridKind::kSymmetric, GridKind::kAsymmetric, GridKind::kQ4_0, GridKind::kQ4_1})
    EXPECT_FALSE(std::isfinite(fit_grid({kind, 4}, std::vector<float>{-1e7F, 1e7F}).scale));
  // Small ones still have a step.
  EXPECT_GT(fit_grid({GridKind::kSymmetric, 4}, std::vector<float>{1e-9F}).scale, 0);
}

}  // namespace
}  // namespace qzo::quantize
