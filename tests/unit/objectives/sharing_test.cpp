// What is computed once instead of again: the losses with it switched off, bit for bit, and how many rows it saves.

#include <array>
#include <cmath>
#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include "qzo/io/checkpoint.h"
#include "qzo/objectives/answer_loss.h"
#include "qzo/objectives/classification.h"
#include "qzo/tokenizer/tokenizer.h"

#include "unit/objectives/toy_model.h"

namespace qzo::objectives {
namespace {

using tasks::Example;
using testing::ToyModel;
using Ids = std::vector<std::int32_t>;

constexpr std::array kAll = {Sharing::kNothing, Sharing::kCandidates, Sharing::kExamples, Sharing::kBeginnings};

Example example(Ids prompt, std::vector<Ids> candidates, std::int32_t label, std::int64_t unscored = 0) {
  return {std::move(prompt), std::move(candidates), label, 1, unscored};
}

// All begin with 1, 2. One is nothing else; one is all of another prompt; candidates begin alike, and like prompts.
const std::vector<Example> kExamples = {
    example({1, 2, 3, 4}, {{5}, {6}}, 0),
    example({1, 2}, {{3}, {4}}, 1),
    example({1, 2, 3, 4}, {{5}, {6}}, 1),                // equal to the first but for its label
    example({1, 2, 3, 4}, {{7, 8, 9}, {7, 8, 5}}, 1),    // same prompt, other candidates
    example({1, 2}, {{3, 4, 6}, {3, 7}}, 0),             // continues into other prompts
    example({1, 2, 9}, {{10, 2}, {11, 12, 13}}, 0, 1),   // no row of the prompt is scored
    example({1, 2, 9}, {{10, 2}, {11, 12, 13}}, 0, 1),   // equal
    example({1, 2, 9}, {{10, 2}, {11, 12, 13}}, 0, 0)};  // equal but for what is scored
const std::vector<PromptAnswer> kAnswers = {
    {{1, 2, 3}, {4, 5}}, {{1, 2}, {3, 4, 6}}, {{1, 2, 3}, {4, 5}}, {{1, 2, 3}, {9}}, {{1}, {2}}};

template <class Batch>
zo::LossPair loss_of(models::CausalLm& model, const Batch& batch, const kernels::Probe& probe,
                     ObjectiveOptions options) {
  if constexpr (std::is_same_v<typename Batch::value_type, Example>) {
    return Classification(model, options).loss(batch, probe);
  } else {
    return AnswerLoss(model, options).loss(batch, probe);
  }
}

// Every sharing, signs stacked or not, and passes of several sizes: the bits of a sequence for each candidate.
template <class Batch>
void expect_same_losses(models::CausalLm& model, const Batch& batch, const kernels::Probe& probe,
                        std::initializer_list<std::int64_t> limits) {
  const zo::LossPair plain = loss_of(model, batch, probe, {.sharing = Sharing::kNothing});
  EXPECT_TRUE(std::isfinite(plain.plus) && std::isfinite(plain.minus));
  EXPECT_NE(plain.plus, plain.minus);
  for (const Sharing sharing : kAll) {
    for (const bool stacked : {true, false}) {
      for (const std::int64_t limit : limits) {
        const zo::LossPair losses =
            loss_of(model, batch, probe, {.stacked_signs = stacked, .max_tokens_per_pass = limit, .sharing = sharing});
        const std::string where = "sharing " + std::to_string(static_cast<int>(sharing)) + ", stacked " +
                                  std::to_string(stacked) + ", limit " + std::to_string(limit);
        EXPECT_EQ(losses.plus, plain.plus) << where;
        EXPECT_EQ(losses.minus, plain.minus) << where;
      }
    }
  }
}

class SharingTest : public ::testing::Test {
 protected:
  kernels::PhiloxNoise noise_{{.seed = 3, .step = 5}};
  kernels::Probe probe_{.noise = &noise_, .eps = 0.02F, .mode = kernels::EpsMode::kRelative};
};

class SharingOnToy : public SharingTest {
 protected:
  template <class Batch>
  std::vector<std::int64_t> rows(const Batch& batch, std::int64_t limit = 0) {
    std::vector<std::int64_t> out;
    for (const Sharing sharing : kAll) {
      model_.calls.clear();
      loss_of(model_, batch, probe_, {.max_tokens_per_pass = limit, .sharing = sharing});
      std::int64_t sum = 0;
      for (const auto& call : model_.calls) sum += call.rows;
      out.push_back(sum);
    }
    return out;
  }
  ToyModel model_;
};

TEST_F(SharingOnToy, changes_no_bit) {
  expect_same_losses(model_, kExamples, probe_, {0, 1, 7, 12});
  expect_same_losses(model_, kAnswers, probe_, {0, 1, 4, 7});
}

TEST_F(SharingOnToy, computes_fewer_rows) {
  // Nothing: prompt and all but the last token of each candidate. Candidates: one prompt each, and 7, 8 once. Examples:
  // the third and the seventh are there already. Beginnings: 1 2 3 4 | 7 8 | behind 1 2: 3 4 of another's prompt, 9 |
  // 10, 11 12.
  EXPECT_EQ(rows(kExamples), (std::vector<std::int64_t>{8 + 4 + 8 + 12 + 7 + 9 + 9 + 9, 4 + 2 + 4 + 6 + 4 + 6 + 6 + 6,
                                                        4 + 2 + 6 + 4 + 6 + 6, 4 + 2 + 1 + 3}));
  EXPECT_EQ(rows(kAnswers), (std::vector<std::int64_t>{4 + 4 + 4 + 3 + 1, 4 + 4 + 4 + 3 + 1, 4 + 4 + 3 + 1, 4}));
}

TEST_F(SharingOnToy, equal_examples_of_different_passes_are_computed_once) {
  std::vector<Example> batch;
  for (int i = 0; i < 3; ++i) {
    batch.push_back(example({1, 2, 3}, {{4}, {5}}, 0));
    batch.push_back(example({6, 7, 8}, {{4}, {5}}, i % 2));
  }
  EXPECT_EQ(rows(batch, 3), (std::vector<std::int64_t>{36, 18, 6, 6}));
}

TEST_F(SharingOnToy, a_pass_is_filled_with_the_rows_that_it_computes) {
  // Two common tokens and one of its own each: 2 + 1 + 1 + 1 rows.
  std::vector<Example> batch;
  for (std::int32_t i = 0; i < 6; ++i) batch.push_back(example({1, 2, 10 + i}, {{4}, {5}}, 0));
  Classification(model_, {.max_tokens_per_pass = 5}).loss(batch);
  ASSERT_EQ(model_.calls.size(), 2u);
  EXPECT_EQ(model_.calls[0].rows, 5);
  EXPECT_EQ(model_.calls[1].rows, 5);
}

TEST_F(SharingOnToy, scores_stay_with_their_examples) {
  const auto plain = Classification(model_, {.sharing = Sharing::kNothing}).scores(kExamples, false);
  for (const Sharing sharing : kAll) {
    EXPECT_EQ(Classification(model_, {.sharing = sharing}).scores(kExamples, false), plain);
  }
}

TEST_F(SharingOnToy, not_a_number_stays_with_those_that_see_it) {
  model_.poison = 9;
  const auto scores = Classification(model_, {}).scores(kExamples, false);
  for (std::size_t i = 0; i < kExamples.size(); ++i) {
    // As a candidate's last token it is predicted, never read.
    EXPECT_EQ(std::isnan(scores[i][0]), kExamples[i].prompt.back() == 9) << i;
  }
}

// The tiny model of tests/data: real layers on scales of either format, its own tokenizer and sentences.
class SharingOnTiny : public SharingTest, public ::testing::WithParamInterface<const char*> {
 protected:
  std::vector<Example> examples(const char* prompt, std::vector<std::string> candidates) const {
    const tasks::ClassificationTask task{"custom", prompt, std::move(candidates), {}, "label"};
    const auto tokenizer = tokenizer::from_folder(data_ / "gptq");
    std::vector<std::int64_t> rows = {0, 1, 2, 3, 4, 5, 6, 7, 2, 0};
    return tasks::encode_all(task, data::read_table(data_ / "train.jsonl"), rows, *tokenizer, {});
  }

  std::filesystem::path data_ = std::filesystem::path(QZO_SOURCE_DIR) / "tests/data/tiny";
  io::Checkpoint checkpoint_ = io::open_checkpoint(data_ / GetParam());
  std::unique_ptr<models::CausalLm> model_ = models::load_causal_lm(checkpoint_);
};

TEST_P(SharingOnTiny, changes_no_bit_whichever_layers_are_trained) {
  const std::string last = std::string(GetParam()) == "gptq" ? "*.1.*" : "blk.1.*";
  for (const std::string& trained : {std::string("*"), last}) {
    models::select_trainable(*model_, {trained}, {});
    expect_same_losses(*model_, examples("the film : {text} . overall it was", {" dirty", " clean"}), probe_, {0, 40});
    expect_same_losses(*model_, examples("the film : {text}", {" . it was clean", " . it was dirty"}), probe_, {0, 40});
  }
}

TEST_P(SharingOnTiny, changes_no_bit_of_the_answer_loss) {
  models::select_trainable(*model_, {"*"}, {});
  std::vector<PromptAnswer> answers;
  for (const Example& one : examples("the film : {text}", {" . it was clean", " . it was dirty"})) {
    for (const Ids& candidate : one.candidates) answers.push_back({one.prompt, candidate});
  }
  expect_same_losses(*model_, answers, probe_, {0, 40});
}

INSTANTIATE_TEST_SUITE_P(Formats, SharingOnTiny, ::testing::Values("gptq", "tiny.gguf"),
                         [](const auto& value) { return value.param[0] == 'g' ? "gptq" : "gguf"; });

}  // namespace
}  // namespace qzo::objectives
