#include "qzo/objectives/perplexity.h"

#include <cmath>
#include <numeric>

#include "qzo/core/error.h"
#include "qzo/objectives/answer_loss.h"

#include "unit/models/tiny_llama.h"

namespace qzo::objectives {
namespace {

class PerplexityTest : public ::testing::Test {
 protected:
  Perplexity measure(std::int64_t context, std::int64_t rows_per_pass = 2048) {
    return measure_perplexity(*model_, tokens_, {.context = context, .rows_per_pass = rows_per_pass},
                              [&](double share) { shares_.push_back(share); });
  }

  io::testing::TempFolder folder_;
  io::Checkpoint checkpoint_ = models::testing::TinyLlama().write(folder_.path());
  std::unique_ptr<models::CausalLm> model_ = models::load_causal_lm(checkpoint_);
  std::vector<std::int32_t> tokens_ = {1, 7, 3, 22, 30, 4, 9, 11, 2, 6, 5, 39, 17};
  std::vector<double> shares_;
};

TEST_F(PerplexityTest, equals_the_answer_loss_of_each_window) {
  // Windows of 5: 4, 4 and 2 scored tokens.
  double total = 0;
  for (const std::size_t begin : {0U, 5U, 10U}) {
    const std::size_t end = std::min<std::size_t>(begin + 5, tokens_.size());
    const std::vector<std::int32_t> rest(tokens_.begin() + static_cast<std::ptrdiff_t>(begin) + 1,
                                         tokens_.begin() + static_cast<std::ptrdiff_t>(end));
    const std::vector<PromptAnswer> window = {{{tokens_[begin]}, rest}};
    total += AnswerLoss(*model_, {}).loss(window) * static_cast<double>(rest.size());
  }
  const Perplexity result = measure(5);
  EXPECT_EQ(result.scored, 10);
  EXPECT_EQ(result.windows, 3);
  EXPECT_NEAR(result.loss, total / 10, 1e-6);
  EXPECT_NEAR(result.value(), std::exp(total / 10), 1e-4);
  EXPECT_GT(result.standard_error, 0);
  EXPECT_EQ(shares_.back(), 1.0);
}

TEST_F(PerplexityTest, does_not_depend_on_how_many_windows_share_a_pass) {
  const Perplexity one = measure(4, 1), all = measure(4, 1000);
  EXPECT_EQ(one.loss, all.loss);
  EXPECT_EQ(one.standard_error, all.standard_error);
}

TEST_F(PerplexityTest, a_single_token_left_is_dropped) {
  EXPECT_EQ(measure(6).windows, 2);
  EXPECT_EQ(measure(6).scored, 10);
}

TEST_F(PerplexityTest, one_window_has_no_standard_error) { EXPECT_EQ(measure(100).standard_error, 0); }

TEST_F(PerplexityTest, one_token_has_no_perplexity) {
  tokens_.resize(1);
  EXPECT_THROW(measure(8), core::InternalError);
}

}  // namespace
}  // namespace qzo::objectives
