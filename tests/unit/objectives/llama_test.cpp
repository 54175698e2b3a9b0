// Both objectives on a real architecture with quantized scales and Philox noise.

#include <cmath>

#include "qzo/objectives/answer_loss.h"
#include "qzo/objectives/classification.h"

#include "unit/models/tiny_llama.h"

namespace qzo::objectives {
namespace {

using tasks::Example;
using Ids = std::vector<std::int32_t>;

class ObjectivesOnLlama : public ::testing::TestWithParam<ops::Precision> {
 protected:
  void SetUp() override { models::select_trainable(*model_, {"*"}, {}); }

  // Every candidate as a sequence of its own, its tokens scored as an answer.
  double plain_score(const Example& example, std::size_t candidate) {
    const std::vector<PromptAnswer> alone = {{example.prompt, example.candidates[candidate]}};
    return -AnswerLoss(*model_, {.precision = GetParam()}).loss(alone);
  }

  io::testing::TempFolder folder_;
  io::Checkpoint checkpoint_ = models::testing::TinyLlama().write(folder_.path());
  std::unique_ptr<models::CausalLm> model_ = models::load_causal_lm(checkpoint_);
  kernels::PhiloxNoise noise_{{.seed = 4, .step = 9}};
  kernels::Probe probe_{.noise = &noise_, .eps = 0.002F};
  const std::vector<Example> examples_ = {{{1, 7, 3, 22}, {{4}, {5}}, 0, 1},
                                          {{1, 30}, {{4, 9}, {11, 2, 6}}, 1, 2},
                                          {{1, 5, 5, 39, 17, 8}, {{6}, {4}}, 1, 3},
                                          {{2, 13, 21}, {{12}, {33, 34}, {12, 12}}, 2, 4}};
};

TEST_P(ObjectivesOnLlama, shared_prompts_equal_one_sequence_per_candidate) {
  const auto scores = Classification(*model_, {.precision = GetParam()}).scores(examples_, false);
  const double tolerance = GetParam() == ops::Precision::kFp32 ? 1e-5 : 1e-4;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    const double base = scores[i][0] - plain_score(examples_[i], 0);
    if (!examples_[i].single_token()) {
      EXPECT_NEAR(base, 0, tolerance) << "example " << i;
    }
    // Logits differ from log-probabilities by the same amount for all candidates.
    for (std::size_t k = 1; k < scores[i].size(); ++k) {
      EXPECT_NEAR(scores[i][k] - plain_score(examples_[i], k), base, tolerance)
          << "example " << i << ", candidate " << k;
    }
  }
}

// The bits of `whole` whether signs are stacked or not, and however large a pass is, in every precision.
template <class Objective, class Batch>
void expect_same_losses(models::CausalLm& model, ops::Precision precision, const Batch& batch,
                        const kernels::Probe& probe) {
  const zo::LossPair whole = Objective(model, {.precision = precision}).loss(batch, probe);
  EXPECT_TRUE(std::isfinite(whole.plus) && std::isfinite(whole.minus));
  EXPECT_NE(whole.plus, whole.minus);
  for (const bool stacked : {true, false}) {
    for (const std::int64_t limit : {0, 1, 7, 12}) {
      const zo::LossPair losses = Objective(model, {precision, stacked, limit}).loss(batch, probe);
      EXPECT_EQ(losses.plus, whole.plus) << "stacked " << stacked << ", limit " << limit;
      EXPECT_EQ(losses.minus, whole.minus) << "stacked " << stacked << ", limit " << limit;
    }
  }
}

TEST_P(ObjectivesOnLlama, signs_and_passes_change_no_bit) {
  expect_same_losses<Classification>(*model_, GetParam(), examples_, probe_);
}

TEST_P(ObjectivesOnLlama, signs_and_passes_change_no_bit_of_the_answer_loss) {
  const std::vector<PromptAnswer> batch = {{{1, 7, 3}, {4, 5, 6}}, {{2}, {39}}, {{1, 12, 30, 8}, {9, 9}}};
  expect_same_losses<AnswerLoss>(*model_, GetParam(), batch, probe_);
}

INSTANTIATE_TEST_SUITE_P(Precisions, ObjectivesOnLlama, ::testing::ValuesIn(ops::kAllPrecisions),
                         [](const auto& value) { return ops::precision_name(value.param); });

}  // namespace
}  // namespace qzo::objectives
