#include <algorithm>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/core/thread_pool.h"
#include "qzo/quantize/grouped_codes.h"
#include "qzo/quantize/hessian.h"

namespace qzo::quantize {
namespace {

constexpr std::int64_t kOut = 70, kIn = 232;

struct Problem {
  at::Tensor weight, inputs, hessian;
};

// Inputs that depend on each other and differ in size, as those of a layer do.
Problem problem(std::uint64_t seed, std::int64_t in = kIn) {
  at::manual_seed(seed);
  const at::Tensor mix = at::randn({in / 4, in}), sizes = at::exp(at::randn({in}));
  Problem result;
  result.weight = at::randn({kOut, in}) * 0.05;
  result.inputs = (at::mm(at::randn({600, in / 4}), mix) * 0.3 + at::randn({600, in})) * sizes;
  Hessian hessian(in);
  hessian.add(result.inputs.contiguous());
  result.hessian = std::move(hessian).mean();
  return result;
}

constexpr GridRule kRules[] = {{GridKind::kSymmetric, 4},  {GridKind::kSymmetric, 3}, {GridKind::kAsymmetric, 4},
                               {GridKind::kAsymmetric, 2}, {GridKind::kSymmetric, 8}, {GridKind::kQ4_0, 4},
                               {GridKind::kQ4_1, 4}};
// Of one block, several in a block, over block ends, of several blocks; the last one short or not.
constexpr std::int64_t kGroups[] = {32, 96, 128, 130, 200, kIn};

TEST(Solver, loses_less_of_the_outputs_than_rounding) {
  const Problem given = problem(1);
  const auto lost = [&](const GroupedCodes& codes) {
    return at::square(at::mm(given.inputs, (given.weight - codes.values()).t())).sum().item<double>();
  };
  for (const GridRule& rule : kRules) {
    for (const std::int64_t group : kGroups) {
      const double rounded = lost(round_to_nearest(given.weight, rule, group));
      for (const bool act_order : {false, true}) {
        const double solved = lost(solve_gptq(given.weight, given.hessian,
                                              {.rule = rule, .group = group, .damp = 0.01, .act_order = act_order}));
        EXPECT_LT(solved, 0.8 * rounded) << static_cast<int>(rule.kind) << " " << rule.bits << " bits, group " << group;
      }
    }
  }
}

// Inputs that say nothing of each other leave nothing to make up for.
TEST(Solver, rounds_to_nearest_where_inputs_are_independent) {
  const Problem given = problem(2);
  const at::Tensor diagonal = at::diag(given.hessian.diagonal().clone()).contiguous();
  for (const GridRule& rule : kRules) {
    for (const std::int64_t group : kGroups) {
      const GroupedCodes solved = solve_gptq(given.weight, diagonal, {.rule = rule, .group = group});
      EXPECT_EQ(solved.codes, round_to_nearest(given.weight, rule, group).codes);
    }
  }
}

TEST(Solver, inputs_that_were_never_seen_are_rounded) {
  Problem given = problem(3);
  for (const std::int64_t dead : {0L, 5L, kIn - 1}) {
    given.hessian.select(0, dead).zero_();
    given.hessian.select(1, dead).zero_();
  }
  const GroupedCodes solved = solve_gptq(given.weight, given.hessian, {.rule = {}, .group = 1});
  const GroupedCodes rounded = round_to_nearest(given.weight, {}, 1);
  for (std::int64_t row = 0; row < kOut; ++row)
    EXPECT_EQ(solved.values()[row][5].item<float>(), rounded.values()[row][5].item<float>());
  // No inputs at all.
  EXPECT_EQ(solve_gptq(given.weight, at::zeros({kIn, kIn}), {.rule = {}, .group = 64}).codes,
            round_to_nearest(given.weight, {}, 64).codes);
}

TEST(Solver, order_of_activations_makes_groups_of_their_own) {
  const Problem given = problem(4);
  const GroupedCodes solved =
      solve_gptq(given.weight, given.hessian, {.rule = {}, .group = 64, .damp = 0.01, .act_order = true});
  ASSERT_EQ(solved.group_of.size(), kIn);
  const at::Tensor order = at::argsort(given.hessian.diagonal(), true, 0, true);
  for (std::int64_t i = 0; i < kIn; ++i) EXPECT_EQ(solved.group_of[order[i].item<std::int64_t>()], i / 64);
}

TEST(Solver, same_bits_for_any_number_of_threads) {
  const Problem given = problem(5);
  const auto solve = [&](int threads) {
    core::set_thread_count(threads);
    return solve_gptq(given.weight, given.hessian, {.rule = {}, .group = 64}).codes;
  };
  const auto alone = solve(1);
  EXPECT_EQ(alone, solve(3));
  core::set_thread_count(0);
}

TEST(Solver, a_hessian_that_cannot_be_factorized_is_the_users_text) {
  const Problem given = problem(6);
  EXPECT_THROW(solve_gptq(given.weight, -given.hessian, {.rule = {}, .group = 64, .damp = 1e-8}), core::UserError);
}

TEST(Hessian, is_the_mean_of_products) {
  for (const std::int64_t in : {1, 191, 192, 193, 400}) {
    at::manual_seed(7);
    const at::Tensor x = at::randn({50, in}), y = at::randn({13, in});
    Hessian hessian(in);
    hessian.add(x);
    hessian.add(y);
    const at::Tensor expected = (at::mm(x.t(), x) + at::mm(y.t(), y)) / 63;
    const at::Tensor mean = std::move(hessian).mean();
    EXPECT_TRUE(at::allclose(mean, expected, 1e-5, 1e-5)) << in;
    EXPECT_TRUE(at::equal(mean, mean.t()));
  }
}

TEST(Hessian, rows_count_as_often_as_they_are_said_to) {
  at::manual_seed(9);
  const at::Tensor x = at::randn({5, 40});
  Hessian often(40), weighted(40);
  for (int i = 0; i < 3; ++i) often.add(x);
  often.add(x * 2);
  weighted.add(x, 3);
  weighted.add(x * 2);
  EXPECT_TRUE(at::allclose(std::move(often).mean(), std::move(weighted).mean(), 1e-5, 1e-6));
}

TEST(RelativeError, counts_outputs_or_weights) {
  const Problem given = problem(8);
  const at::Tensor half = given.weight / 2;
  EXPECT_NEAR(relative_error(given.weight, half, given.hessian), 0.25, 1e-5);
  EXPECT_NEAR(relative_error(given.weight, half, {}), 0.25, 1e-5);
  EXPECT_EQ(relative_error(given.weight * 0, half, {}), 0);
}

}  // namespace
}  // namespace qzo::quantize
