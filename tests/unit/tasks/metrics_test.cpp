#include "qzo/tasks/metrics.h"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "qzo/core/error.h"

namespace qzo::tasks {
namespace {

using Scores = std::vector<std::vector<float>>;
using Labels = std::vector<std::int32_t>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Case {
  Scores scores;
  Labels labels;
};

// Few distinct values, so that ties are common.
Case random_case(unsigned seed, std::size_t count) {
  std::mt19937 generator(seed);
  Case out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(generator() % 2);
    const auto lean = static_cast<float>(generator() % 6 + 2 * static_cast<unsigned>(label)) / 4;
    out.scores.push_back({1.0F, lean});
    out.labels.push_back(label);
  }
  return out;
}

TEST(Metrics, by_hand) {
  const Metrics metrics = compute_metrics({{0, 0}, {std::log(3.0F), 0}, {2, 2 + std::log(3.0F)}}, {1, 0, 0});
  EXPECT_EQ(metrics.count, 3);
  EXPECT_DOUBLE_EQ(metrics.accuracy, 1.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.accuracy_se, std::sqrt(1.0 / 3 * 2.0 / 3 / 3));
  const double losses[] = {std::log(2.0), std::log(4.0 / 3), std::log(4.0)};
  const double mean = (losses[0] + losses[1] + losses[2]) / 3;
  EXPECT_NEAR(metrics.loss, mean, 1e-7);
  double squares = 0;
  for (const double loss : losses) squares += (loss - mean) * (loss - mean);
  EXPECT_NEAR(metrics.loss_se, std::sqrt(squares / 2 / 3), 1e-7);
  // Margins 0 (positive), -log 3 and log 3 (negatives): the positive beats one of two.
  EXPECT_DOUBLE_EQ(metrics.auc, 0.5);
}

TEST(Metrics, large_scores_do_not_overflow) {
  EXPECT_NEAR(compute_metrics({{1e4F, -1e4F}}, {1}).loss, 2e4, 1e-6);
  EXPECT_DOUBLE_EQ(cross_entropy(std::vector<float>{-1e30F, -1e30F}, 0), std::log(2.0));
}

TEST(Metrics, auc_is_the_share_of_pairs_in_order_ties_half) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto [scores, labels] = random_case(seed, 30);
    double pairs = 0;
    double ordered = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      for (std::size_t j = 0; j < scores.size(); ++j) {
        if (labels[i] != 1 || labels[j] != 0) continue;
        ++pairs;
        ordered += scores[i][1] > scores[j][1] ? 1 : scores[i][1] == scores[j][1] ? 0.5 : 0;
      }
    }
    ASSERT_GT(pairs, 0);
    EXPECT_NEAR(compute_metrics(scores, labels).auc, ordered / pairs, 1e-12) << "seed " << seed;
  }
}

TEST(Metrics, no_auc_for_three_candidates_or_one_class) {
  EXPECT_TRUE(std::isnan(compute_metrics({{0, 1, 2}, {2, 1, 0}}, {0, 1}).auc));
  EXPECT_TRUE(std::isnan(compute_metrics({{0, 1}, {2, 1}}, {1, 1}).auc));
  EXPECT_DOUBLE_EQ(compute_metrics({{0, 1, 2}, {2, 1, 0}}, {2, 0}).accuracy, 1);
}

TEST(Metrics, not_a_number_is_never_hidden) {
  for (const Scores& scores : {Scores{{kNan, 0}, {0, 1}}, Scores{{0, kNan}, {0, 1}}}) {
    for (const std::int32_t label : {0, 1}) {
      const Metrics metrics = compute_metrics(scores, {label, 1});
      EXPECT_TRUE(std::isnan(metrics.loss));
      EXPECT_TRUE(std::isnan(metrics.loss_se));
      EXPECT_TRUE(std::isnan(metrics.auc));
      EXPECT_DOUBLE_EQ(metrics.accuracy, 0.5) << "an example without a prediction is wrong";
    }
    EXPECT_TRUE(std::isnan(best_threshold(scores, {0, 1})));
    EXPECT_TRUE(std::isnan(accuracy_at_threshold(scores, {0, 1}, 0)));
  }
  EXPECT_TRUE(std::isnan(compute_metrics({{kInfinity, 0}}, {0}).loss));
  EXPECT_TRUE(std::isnan(compute_metrics({{0, 1}}, {0}).loss_se));
}

TEST(Threshold, is_the_best_of_all) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto [scores, labels] = random_case(seed, 25);
    double best = 0;
    for (double threshold = -3; threshold < 5; threshold += 0.125 / 2) {
      best = std::max(best, accuracy_at_threshold(scores, labels, threshold));
    }
    EXPECT_DOUBLE_EQ(accuracy_at_threshold(scores, labels, best_threshold(scores, labels)), best) << "seed " << seed;
  }
}

TEST(Threshold, lies_between_the_classes) {
  const Scores scores = {{0, 5}, {0, 7}, {0, 8}, {0, 12}};
  EXPECT_DOUBLE_EQ(best_threshold(scores, {0, 0, 1, 1}), 7.5);
  EXPECT_DOUBLE_EQ(compute_metrics(scores, {0, 0, 1, 1}).accuracy, 0.5) << "the bias it removes";
  EXPECT_DOUBLE_EQ(accuracy_at_threshold(scores, {0, 0, 0, 0}, best_threshold(scores, {0, 0, 0, 0})), 1);
  EXPECT_DOUBLE_EQ(accuracy_at_threshold(scores, {1, 1, 1, 1}, best_threshold(scores, {1, 1, 1, 1})), 1);
  EXPECT_DOUBLE_EQ(accuracy_at_threshold({{0, 1}}, {1}, 1.0), 0) << "at the threshold is not above it";
}

TEST(Metrics, wrong_arguments_are_ours) {
  EXPECT_THROW(compute_metrics({}, {}), core::InternalError);
  EXPECT_THROW(compute_metrics({{0, 1}}, {0, 1}), core::InternalError);
  EXPECT_THROW(compute_metrics({{0, 1}}, {2}), core::InternalError);
  EXPECT_THROW(cross_entropy(std::vector<float>{0, 1}, 2), core::InternalError);
}

}  // namespace
}  // namespace qzo::tasks
