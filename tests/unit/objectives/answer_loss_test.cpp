#include "qzo/objectives/answer_loss.h"

#include <cmath>

#include <gtest/gtest.h>

#include "qzo/core/error.h"

#include "unit/objectives/toy_model.h"

namespace qzo::objectives {
namespace {

using testing::ToyModel;
using Ids = std::vector<std::int32_t>;

const std::vector<PromptAnswer> kBatch = {{{1, 2, 3}, {4}}, {{5}, {6, 7, 8, 9}}, {{10, 11}, {12, 12}}};
constexpr std::int64_t kRows = 3 + 4 + 3;

double reference_loss(const ToyModel& model, float shift) {
  double sum = 0;
  int count = 0;
  for (const auto& [prompt, answer] : kBatch) {
    Ids seen = prompt;
    for (const std::int32_t target : answer) {
      const auto state = model.state(seen, shift);
      double normaliser = 0;
      for (std::int32_t token = 0; token < ToyModel::kVocabulary; ++token) {
        normaliser += std::exp(double{ToyModel::logit(state.data(), token)});
      }
      sum += std::log(normaliser) - double{ToyModel::logit(state.data(), target)};
      ++count;
      seen.push_back(target);
    }
  }
  return sum / count;
}

class AnswerLossTest : public ::testing::Test {
 protected:
  kernels::PhiloxNoise noise_{{.seed = 1}};
  kernels::Probe probe_{.noise = &noise_, .eps = 0.125F};
  ToyModel model_;
  AnswerLoss objective_{model_, {}};
};

TEST_F(AnswerLossTest, is_the_mean_over_all_answer_tokens) {
  EXPECT_NEAR(objective_.loss(kBatch), reference_loss(model_, 0), 1e-6);
  ASSERT_EQ(model_.calls.size(), 1u);
  EXPECT_EQ(model_.calls[0].rows, kRows) << "the last token of an answer is not computed";
  EXPECT_EQ(model_.calls[0].scored, 1 + 4 + 2);
  double by_example = 0;
  for (const PromptAnswer& example : kBatch) by_example += objective_.loss(std::span(&example, 1)) / 3;
  EXPECT_GT(std::abs(by_example - objective_.loss(kBatch)), 1e-3) << "not the mean over examples";
}

TEST_F(AnswerLossTest, plus_comes_first_and_two_walks_give_the_same_bits) {
  const zo::LossPair twin = objective_.loss(kBatch, probe_);
  EXPECT_NEAR(twin.plus, reference_loss(model_, 0.125F), 1e-6);
  EXPECT_NEAR(twin.minus, reference_loss(model_, -0.125F), 1e-6);
  EXPECT_GT(std::abs(twin.plus - twin.minus), 1e-3);
  EXPECT_EQ(model_.calls.size(), 1u);
  const zo::LossPair walks = AnswerLoss(model_, {.stacked_signs = false}).loss(kBatch, probe_);
  EXPECT_EQ(model_.calls.size(), 3u);
  EXPECT_EQ(walks.plus, twin.plus);
  EXPECT_EQ(walks.minus, twin.minus);
}

TEST_F(AnswerLossTest, passes_of_any_size_give_the_same_bits) {
  const zo::LossPair whole = objective_.loss(kBatch, probe_);
  for (std::int64_t limit = 1; limit <= kRows; ++limit) {
    model_.calls.clear();
    const zo::LossPair losses = AnswerLoss(model_, {.max_tokens_per_pass = limit}).loss(kBatch, probe_);
    EXPECT_EQ(losses.plus, whole.plus) << "limit " << limit;
    EXPECT_EQ(losses.minus, whole.minus) << "limit " << limit;
    EXPECT_EQ(model_.calls.size(), limit < 7 ? 3u : limit < kRows ? 2u : 1u) << "limit " << limit;
  }
}

TEST_F(AnswerLossTest, not_a_number_reaches_the_loss) {
  model_.poison = 6;
  EXPECT_TRUE(std::isnan(objective_.loss(kBatch)));
  EXPECT_TRUE(std::isnan(objective_.loss(kBatch, probe_).minus));
}

TEST_F(AnswerLossTest, wrong_arguments_are_ours) {
  EXPECT_THROW(objective_.loss({}), core::InternalError);
  const std::vector<PromptAnswer> no_answer = {{{1}, {}}};
  EXPECT_THROW(objective_.loss(no_answer), core::InternalError);
  const std::vector<PromptAnswer> no_prompt = {{{}, {1}}};
  EXPECT_THROW(objective_.loss(no_prompt), core::InternalError);
  kernels::Probe one_sign = probe_;
  one_sign.signs = kernels::Signs::kMinus;
  EXPECT_THROW(objective_.loss(kBatch, one_sign), core::InternalError);
}

}  // namespace
}  // namespace qzo::objectives
