#include "qzo/train/first_order.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/core/thread_pool.h"

#include "train_fixture.h"

namespace qzo::train {
namespace {

std::vector<optim::ParameterGroup> one_matrix(std::vector<std::int64_t> shape, float* values, const float* gradient) {
  return {{.parameters = {{.name = "w",
                           .shape = std::move(shape),
                           .dtype = core::Dtype::kF32,
                           .values = values,
                           .gradient_dtype = core::Dtype::kF32,
                           .gradient = gradient}},
           .lr = 0,
           .weight_decay = 0}};
}

// loss of example i = |w - i|^2 / 2, so the gradient is w - i.
class Quadratic final : public GradientProblem {
 public:
  [[nodiscard]] std::vector<std::int64_t> train_lengths() const override { return std::vector<std::int64_t>(8, 1); }
  tasks::Metrics evaluate(const std::function<void(double share)>&) override { return {}; }
  void export_model(const std::filesystem::path&) override {}
  [[nodiscard]] std::uint64_t base_hash() const override { return 1; }
  std::vector<optim::ParameterGroup> parameter_groups() override {
    return one_matrix({2, 2}, values.data(), gradient.data());
  }
  void zero_gradients() override { gradient.assign(4, 0); }
  double add_gradients(std::span<const std::int64_t> part, double share) override {
    parts.push_back(part.size());
    double loss = 0;
    for (const std::int64_t example : part) {
      for (std::size_t i = 0; i < 4; ++i) {
        const float difference = values[i] - static_cast<float>(example);
        loss += 0.5 * double{difference} * double{difference} / static_cast<double>(part.size());
        gradient[i] += static_cast<float>(share / static_cast<double>(part.size())) * difference;
      }
    }
    if (poison) gradient[2] = std::numeric_limits<float>::quiet_NaN();
    if (huge) gradient.assign(4, 3e38F);
    return loss;
  }
  void parameters_changed() override { ++changes; }

  std::vector<float> values{1, 2, 3, 4}, gradient{0, 0, 0, 0};
  std::vector<std::size_t> parts;
  bool poison = false, huge = false;
  int changes = 0;
};

const std::vector<std::int64_t> kBatch = {0, 1, 2, 3, 4};

Method::Step take(FirstOrder& method, double lr = 0.5) {
  return method.step(0, lr, kBatch, [](std::span<const zo::StepRecord>) {});
}

TEST(FirstOrderStep, MicroBatchesWeighTheirExamples) {
  Quadratic whole, split;
  FirstOrder a(whole, {.optimizer = "sgd", .max_norm = {}, .micro_batch = 0, .seed = 3, .states = {}});
  FirstOrder b(split, {.optimizer = "sgd", .max_norm = {}, .micro_batch = 2, .seed = 3, .states = {}});
  const auto first = take(a), second = take(b);
  EXPECT_EQ(split.parts, (std::vector<std::size_t>{2, 2, 1}));
  EXPECT_NEAR(first.records[0].loss_plus, second.records[0].loss_plus, 1e-6);
  EXPECT_EQ(first.records[0].seed, 3U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(whole.values[i], split.values[i], 1e-6);
    // The mean of the examples is 2.
    EXPECT_NEAR(whole.values[i], static_cast<float>(i + 1) - 0.5F * (static_cast<float>(i + 1) - 2), 1e-6);
  }
}

TEST(FirstOrderStep, ClipsTheNormOverAllParameters) {
  Quadratic problem;
  FirstOrder method(problem, {.optimizer = "sgd", .max_norm = 0.1, .micro_batch = 0, .seed = 0, .states = {}});
  const auto record = take(method, 1).records[0];
  const double norm = std::sqrt(1.0 + 0 + 1 + 4);  // of (-1, 0, 1, 2)
  EXPECT_NEAR(record.d_raw, norm, 1e-6);
  EXPECT_TRUE(record.clipped);
  EXPECT_NEAR(record.d_applied, 0.1, 1e-6);
  EXPECT_NEAR(problem.values[3], 4 - 0.1 * 2 / norm, 1e-6);
}

TEST(FirstOrderStep, WhatIsNotFiniteChangesNothing) {
  Quadratic problem;
  problem.poison = true;
  FirstOrder method(problem, {.optimizer = "adamw32", .max_norm = 1, .micro_batch = 0, .seed = 0, .states = {}});
  const auto record = take(method).records[0];
  EXPECT_TRUE(record.skipped);
  EXPECT_EQ(record.d_applied, 0);
  EXPECT_EQ(problem.values, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(problem.changes, 0);
  EXPECT_EQ(method.optimizer().steps(), 0U);
  problem.poison = false;
  EXPECT_FALSE(take(method).records[0].skipped);
  EXPECT_EQ(method.optimizer().steps(), 1U);
}

// Their norm is beyond the largest fp32 number, and their squares by far.
TEST(FirstOrderStep, HugeGradientsAreClippedAndNotSkipped) {
  Quadratic problem;
  problem.huge = true;
  FirstOrder method(problem, {.optimizer = "sgd", .max_norm = 0.1, .micro_batch = 0, .seed = 0, .states = {}});
  const auto record = take(method, 1).records[0];
  EXPECT_FALSE(record.skipped);
  EXPECT_EQ(record.d_raw, std::numeric_limits<float>::max());
  EXPECT_NEAR(record.d_applied, 0.1, 1e-6);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(problem.values[i], static_cast<float>(i + 1) - 0.05F, 1e-5);
}

TEST(FirstOrderStep, CheckpointsCarryTheStatesAndRefuseThoseOfAnother) {
  const test::TemporaryFolder folder;
  const core::RunFolder run{folder.path()};
  Quadratic problem, fresh, other;
  FirstOrderSettings settings;
  settings.optimizer = "adamw4bit_block";
  settings.states.threshold = 0;
  FirstOrder method(problem, settings), again(fresh, settings);
  FirstOrderSettings fp32 = settings;
  fp32.optimizer = "adamw32";
  FirstOrder different(other, fp32);
  take(method);
  save_checkpoint(run, {.steps_done = 1, .journal_bytes = 0, .counters = core::Json::object()}, method.content());
  EXPECT_THROW(load_checkpoint(run, 1, different.content()), core::UserError);
  EXPECT_EQ(other.values, (std::vector<float>{1, 2, 3, 4})) << "refused before anything was changed";
  load_checkpoint(run, 1, again.content());
  EXPECT_EQ(fresh.values, problem.values);
  take(method);
  take(again);
  EXPECT_EQ(fresh.values, problem.values) << "the states came back as well";
}

TEST(GradientNorm, HasTheSameBitsForAnyNumberOfThreads) {
  std::vector<float> gradient(300000), values(300000);
  for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = std::sin(static_cast<float>(i)) * 1e-3F;
  const std::vector<optim::ParameterGroup> groups = one_matrix({300000}, values.data(), gradient.data());
  core::set_thread_count(1);
  const double one = gradient_norm(groups);
  core::set_thread_count(3);
  EXPECT_EQ(gradient_norm(groups), one);
  core::set_thread_count(0);
  EXPECT_NEAR(one, 1e-3 * std::sqrt(150000.0), 1e-3 * 0.5);
}

}  // namespace
}  // namespace qzo::train
