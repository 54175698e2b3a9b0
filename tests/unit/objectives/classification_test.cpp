#include "qzo/objectives/classification.h"

#include <cmath>

#include <gtest/gtest.h>

#include "qzo/core/error.h"

#include "unit/objectives/toy_model.h"

namespace qzo::objectives {
namespace {

using tasks::Example;
using testing::ToyModel;
using Ids = std::vector<std::int32_t>;

Example example(Ids prompt, std::vector<Ids> candidates, std::int32_t label, std::int64_t unscored = 0) {
  return {std::move(prompt), std::move(candidates), label, 1, unscored};
}

const std::vector<Example> kSingle = {example({1, 2, 3}, {{4}, {5}}, 0), example({7, 7}, {{5}, {4}}, 1),
                                      example({2}, {{6}, {4}, {9}}, 2)};
const std::vector<Example> kLong = {example({1, 2, 3}, {{4, 5}, {6, 7, 8}}, 1),
                                    example({9}, {{3, 3, 3}, {4, 3, 4}}, 0)};
// One token and several, with merged boundaries, among examples of either kind; nothing to share across examples.
const std::vector<Example> kMixed = {kSingle[0], example({4, 5}, {{6}, {7, 8}}, 1),
                                     example({3, 1}, {{10, 2}, {11, 12, 13}}, 0, 1), kSingle[2], kLong[1]};

// The long way: one whole sequence per candidate, full softmax, double.
double reference_score(const ToyModel& model, const Example& example, std::size_t candidate, float shift) {
  Ids seen = example.prompt;
  double sum = 0;
  int count = 0;
  for (std::size_t t = 0; t < example.candidates[candidate].size(); ++t) {
    const std::int32_t target = example.candidates[candidate][t];
    if (static_cast<std::int64_t>(t) >= example.unscored) {
      const auto state = model.state(seen, shift);
      double normaliser = 0;
      for (std::int32_t token = 0; token < ToyModel::kVocabulary; ++token) {
        normaliser += std::exp(double{ToyModel::logit(state.data(), token)});
      }
      sum += double{ToyModel::logit(state.data(), target)} - std::log(normaliser);
      ++count;
    }
    seen.push_back(target);
  }
  return sum / count;
}

double reference_loss(const ToyModel& model, const std::vector<Example>& examples, float shift = 0) {
  double total = 0;
  for (const Example& example : examples) {
    double normaliser = 0;
    for (std::size_t i = 0; i < example.candidates.size(); ++i) {
      normaliser += std::exp(reference_score(model, example, i, shift));
    }
    total += std::log(normaliser) - reference_score(model, example, static_cast<std::size_t>(example.label), shift);
  }
  return total / static_cast<double>(examples.size());
}

std::int64_t tokens_of(const std::vector<Example>& examples) {
  std::int64_t tokens = 0;
  for (const Example& example : examples) tokens += example.tokens();
  return tokens;
}

class ClassificationTest : public ::testing::Test {
 protected:
  // Only its presence counts: the toy model draws no noise.
  kernels::PhiloxNoise noise_{{.seed = 1}};
  kernels::Probe probe_{.noise = &noise_, .eps = 0.125F};
  ToyModel model_;
  Classification objective_{model_, {}};
};

TEST_F(ClassificationTest, loss_of_shared_prompts_is_that_of_one_sequence_per_candidate) {
  EXPECT_NEAR(objective_.loss(kSingle), reference_loss(model_, kSingle), 1e-6);
  EXPECT_NEAR(objective_.loss(kLong), reference_loss(model_, kLong), 1e-6);
  EXPECT_NEAR(objective_.loss(kMixed), reference_loss(model_, kMixed), 1e-6);
  for (const auto& call : model_.calls) EXPECT_EQ(call.signs, 1);
}

TEST_F(ClassificationTest, one_token_candidates_are_scored_by_logits_in_one_sequence) {
  const auto scores = objective_.scores(kSingle, false);
  ASSERT_EQ(scores.size(), 3u);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto state = model_.state(kSingle[i].prompt, 0);
    ASSERT_EQ(scores[i].size(), kSingle[i].candidates.size());
    for (std::size_t k = 0; k < scores[i].size(); ++k) {
      EXPECT_EQ(scores[i][k], ToyModel::logit(state.data(), kSingle[i].candidates[k][0])) << i << ", " << k;
    }
  }
  ASSERT_EQ(model_.calls.size(), 1u);
  EXPECT_EQ(model_.calls[0].rows, 3 + 2 + 1);
  EXPECT_EQ(model_.calls[0].scored, 3);
}

TEST_F(ClassificationTest, other_candidates_are_scored_by_mean_log_probabilities) {
  const auto scores = objective_.scores(kMixed, false);
  for (const std::size_t i : {1u, 2u, 4u}) {
    ASSERT_EQ(scores[i].size(), 2u);
    for (std::size_t k = 0; k < 2; ++k) EXPECT_NEAR(scores[i][k], reference_score(model_, kMixed[i], k, 0), 1e-6);
  }
}

TEST_F(ClassificationTest, computes_the_rows_that_examples_promise) {
  objective_.loss(kMixed);
  ASSERT_EQ(model_.calls.size(), 1u);
  EXPECT_EQ(model_.calls[0].rows, tokens_of(kMixed));
  // One row for each one-token example; prompt end and one more; no prompt end, 1 and 2; prompt end and 2 of each.
  EXPECT_EQ(model_.calls[0].scored, 1 + 2 + 3 + 1 + 5);
}

TEST_F(ClassificationTest, plus_comes_first) {
  const zo::LossPair losses = objective_.loss(kMixed, probe_);
  EXPECT_NEAR(losses.plus, reference_loss(model_, kMixed, 0.125F), 1e-6);
  EXPECT_NEAR(losses.minus, reference_loss(model_, kMixed, -0.125F), 1e-6);
  EXPECT_GT(std::abs(losses.plus - losses.minus), 1e-3) << "the signs must differ for this test to see their order";
  ASSERT_EQ(model_.calls.size(), 1u);
  EXPECT_EQ(model_.calls[0].signs, 2);
  EXPECT_EQ(model_.calls[0].rows, tokens_of(kMixed)) << "rows of one sign";
}

TEST_F(ClassificationTest, two_walks_give_the_bits_of_the_twin_pass) {
  const zo::LossPair twin = objective_.loss(kMixed, probe_);
  model_.calls.clear();
  const zo::LossPair walks = Classification(model_, {.stacked_signs = false}).loss(kMixed, probe_);
  EXPECT_EQ(walks.plus, twin.plus);
  EXPECT_EQ(walks.minus, twin.minus);
  ASSERT_EQ(model_.calls.size(), 2u);
  for (const auto& call : model_.calls) EXPECT_EQ(call.signs, 1);
}

TEST_F(ClassificationTest, passes_of_any_size_give_the_same_bits) {
  const zo::LossPair whole = objective_.loss(kMixed, probe_);
  const auto scores = objective_.scores(kMixed, false);
  for (std::int64_t limit = 1; limit <= tokens_of(kMixed) + 1; ++limit) {
    for (const bool stacked : {true, false}) {
      Classification objective(model_, {.stacked_signs = stacked, .max_tokens_per_pass = limit});
      model_.calls.clear();
      const zo::LossPair losses = objective.loss(kMixed, probe_);
      EXPECT_EQ(losses.plus, whole.plus) << "limit " << limit;
      EXPECT_EQ(losses.minus, whole.minus) << "limit " << limit;
      std::int64_t rows = 0;
      for (const auto& call : model_.calls) {
        rows += call.rows;
        bool alone = false;
        for (const Example& one : kMixed) alone = alone || call.rows == one.tokens();
        EXPECT_TRUE(call.rows <= limit || alone) << call.rows << " rows, limit " << limit;
      }
      EXPECT_EQ(rows, tokens_of(kMixed) * (stacked ? 1 : 2)) << "nothing twice, nothing left out";
      EXPECT_EQ(objective.scores(kMixed, false), scores) << "limit " << limit;
    }
  }
}

TEST_F(ClassificationTest, passes_are_as_full_as_the_limit_allows) {
  // 3, 2, 1, 3, 2, 1, ... rows: two neighbours fit into 5, and a pass starts counting anew.
  std::vector<Example> many;
  for (int i = 0; i < 4; ++i) many.insert(many.end(), kSingle.begin(), kSingle.end());
  const auto rows_of_passes = [&](std::int64_t limit) {
    model_.calls.clear();
    Classification(model_, {.max_tokens_per_pass = limit, .sharing = Sharing::kCandidates}).loss(many);
    std::vector<std::int64_t> rows;
    for (const auto& call : model_.calls) rows.push_back(call.rows);
    return rows;
  };
  EXPECT_EQ(rows_of_passes(5), (std::vector<std::int64_t>{5, 4, 3, 5, 4, 3}));
  EXPECT_EQ(rows_of_passes(6), (std::vector<std::int64_t>{6, 6, 6, 6}));
  EXPECT_EQ(rows_of_passes(1), (std::vector<std::int64_t>{3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1}));
  EXPECT_EQ(rows_of_passes(0), (std::vector<std::int64_t>{24}));
}

TEST_F(ClassificationTest, rounded_scales_and_precision_reach_the_model) {
  Classification objective(model_, {.precision = ops::Precision::kBf16});
  const auto masters = objective.scores(kSingle, false);
  const auto rounded = objective.scores(kSingle, true);
  EXPECT_NE(masters, rounded);
  ASSERT_EQ(model_.calls.size(), 2u);
  EXPECT_FALSE(model_.calls[0].rounded);
  EXPECT_TRUE(model_.calls[1].rounded);
  EXPECT_EQ(model_.calls[0].precision, ops::Precision::kBf16);
}

TEST_F(ClassificationTest, not_a_number_reaches_the_loss) {
  model_.poison = 7;  // in a prompt of kSingle, in a candidate of kLong
  EXPECT_TRUE(std::isnan(objective_.loss(kSingle)));
  EXPECT_TRUE(std::isnan(objective_.loss(kLong)));
  const zo::LossPair losses = objective_.loss(kLong, probe_);
  EXPECT_TRUE(std::isnan(losses.plus));
  EXPECT_TRUE(std::isnan(losses.minus));
  // The last token is predicted, never read.
  model_.poison = 8;
  EXPECT_TRUE(std::isfinite(objective_.loss(kLong)));
}

TEST_F(ClassificationTest, wrong_arguments_are_ours) {
  EXPECT_THROW(objective_.loss({}), core::InternalError);
  EXPECT_THROW(objective_.scores({}, false), core::InternalError);
  kernels::Probe one_sign = probe_;
  one_sign.signs = kernels::Signs::kPlus;
  EXPECT_THROW(objective_.loss(kSingle, one_sign), core::InternalError);
  const std::vector<Example> nothing_scored = {example({1}, {{2, 3}, {4, 5}}, 0, 2)};
  EXPECT_THROW(objective_.loss(nothing_scored), core::InternalError);
  const std::vector<Example> no_such_label = {example({1}, {{2}, {4}}, 2)};
  EXPECT_THROW(objective_.loss(no_such_label), core::InternalError);
  const std::vector<Example> no_prompt = {example({}, {{2}, {4}}, 0)};
  EXPECT_THROW(objective_.loss(no_prompt), core::InternalError);
}

}  // namespace
}  // namespace qzo::objectives
