#include "qzo/optim/optimizer.h"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/core/half.h"
#include "qzo/core/thread_pool.h"
#include "qzo/optim/adafactor.h"
#include "qzo/optim/adamw.h"
#include "qzo/optim/registry.h"
#include "qzo/optim/sgd.h"

#include "support/each_isa.h"

namespace qzo::optim {
namespace {

namespace fs = std::filesystem;

std::vector<float> normal(std::size_t count, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0, scale);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(random);
  return values;
}

// A few tensors of awkward shapes with an optimizer over them.
struct Model {
  explicit Model(const std::string& optimizer, const StateRules& rules = {}) {
    const std::vector<std::vector<std::int64_t>> shapes = {{67, 73}, {5, 3, 19, 23}, {4099},   {1},
                                                           {},       {129, 1030},    {7, 3, 3}};
    ParameterGroup group{{}, 0.01, 0.1};
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      std::size_t count = 1;
      for (const std::int64_t dimension : shapes[i]) count *= static_cast<std::size_t>(dimension);
      values.push_back(normal(count, static_cast<unsigned>(i)));
      gradients.push_back(normal(count, 100 + static_cast<unsigned>(i), 0.01F));
      group.parameters.push_back({"p" + std::to_string(i), shapes[i]});
    }
    for (std::size_t i = 0; i < shapes.size(); ++i) group.parameters[i].values = values[i].data();
    made = make_optimizer(optimizer, {group}, rules);
  }
  void step(int number) {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      gradients[i] =
          normal(gradients[i].size(), 1000U * static_cast<unsigned>(number) + static_cast<unsigned>(i), 0.01F);
      made->set_gradient(i, gradients[i].data());
    }
    made->step();
  }

  std::vector<std::vector<float>> values, gradients;
  std::unique_ptr<Optimizer> made;
};

class EveryOptimizer : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Names, EveryOptimizer, ::testing::ValuesIn(optimizer_names()));

TEST_P(EveryOptimizer, same_bits_for_all_threads_and_instruction_sets) {
  Model reference(GetParam());
  for (int step = 1; step <= 3; ++step) reference.step(step);
  for (const int threads : {1, 3}) {
    core::set_thread_count(threads);
    test::for_each_isa([&] {
      Model model(GetParam());
      for (int step = 1; step <= 3; ++step) model.step(step);
      EXPECT_EQ(model.values, reference.values);
    });
  }
  core::set_thread_count(0);
  for (const auto& tensor : reference.values)
    for (const float value : tensor) ASSERT_TRUE(std::isfinite(value));
}

TEST_P(EveryOptimizer, resumes_to_the_same_bits) {
  const fs::path file = fs::path(::testing::TempDir()) / "optim_state.safetensors";
  StateRules rules;
  rules.stochastic = {"p0", "p5"};
  Model whole(GetParam(), rules), first(GetParam(), rules), second(GetParam(), rules);
  for (int step = 1; step <= 4; ++step) whole.step(step);
  for (int step = 1; step <= 2; ++step) first.step(step);
  first.made->save(file);
  for (std::size_t i = 0; i < second.values.size(); ++i)
    std::copy(first.values[i].begin(), first.values[i].end(), second.values[i].begin());
  second.made->load(file);
  EXPECT_EQ(second.made->steps(), 2U);
  for (int step = 3; step <= 4; ++step) second.step(step);
  EXPECT_EQ(second.values, whole.values);
  fs::remove(file);
}

TEST_P(EveryOptimizer, state_of_another_is_refused) {
  const fs::path file = fs::path(::testing::TempDir()) / "optim_other.safetensors";
  const std::string other = GetParam() == "adamw32" ? "adamw4bit_block" : "adamw32";
  Model saved(other), model(GetParam());
  saved.step(1);
  saved.made->save(file);
  try {
    model.made->load(file);
    FAIL() << "loaded the state of " << other;
  } catch (const core::UserError& error) {
    const std::string sentence = error.what();
    EXPECT_NE(sentence.find("\"" + other + "\""), std::string::npos) << sentence;
    EXPECT_NE(sentence.find("\"" + GetParam() + "\""), std::string::npos) << sentence;
  }
  EXPECT_EQ(model.made->steps(), 0U);
  fs::remove(file);
}

TEST_P(EveryOptimizer, a_gradient_that_is_not_finite_changes_nothing) {
  Model model(GetParam());
  model.step(1);
  const auto before = model.values;
  const std::int64_t bytes = model.made->state_bytes();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    model.gradients[5].back() = bad;
    EXPECT_FALSE(model.made->step_if_finite());
  }
  EXPECT_EQ(model.values, before);
  EXPECT_EQ(model.made->steps(), 1U);
  EXPECT_EQ(model.made->skipped_steps(), 3U);
  EXPECT_EQ(model.made->state_bytes(), bytes);
  Model untouched(GetParam());
  untouched.step(1);
  untouched.step(2);
  model.step(2);
  EXPECT_EQ(model.values, untouched.values);
}

// step() does not look: what is not finite spoils its own tensor and no other, whatever the codes make of it.
TEST_P(EveryOptimizer, without_the_check_a_nan_stays_in_its_tensor) {
  test::for_each_isa([&] {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      Model model(GetParam()), clean(GetParam());
      model.step(1);
      clean.step(1);
      model.gradients[5][1030] = model.gradients[1].front() = bad;
      for (Model* each : {&model, &clean}) each->made->step();
      for (std::size_t i = 0; i < model.values.size(); ++i)
        EXPECT_EQ(model.values[i] == clean.values[i], i != 5 && i != 1) << i;
    }
  });
}

TEST_P(EveryOptimizer, parameters_without_gradient_sit_out) {
  Model model(GetParam());
  const auto before = model.values;
  model.made->set_gradient(0, model.gradients[0].data());
  model.made->step();
  EXPECT_NE(model.values[0], before[0]);
  for (std::size_t i = 1; i < before.size(); ++i) EXPECT_EQ(model.values[i], before[i]);
}

// lpmm takes a state of one element for one that is not there yet, and resets it at every step.
TEST(Optimizer, a_scalar_keeps_its_moments) {
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{1}, std::vector<std::int64_t>{}}) {
    float theta = 1, g = 1;
    ParameterGroup group{{{"scalar", shape, core::Dtype::kF32, &theta, core::Dtype::kF32, &g}}, 0.1, 0};
    const auto optimizer = make_adamw({group}, {AdamwStates::k4BitRank1, {}});
    double m = 0, v = 0, want = 1;
    for (int t = 1; t <= 5; ++t) {
      g = t == 1 ? 1.0F : -0.5F;
      const auto gradient = static_cast<double>(g);
      m = 0.9 * m + 0.1 * gradient;
      v = 0.999 * v + 0.001 * gradient * gradient;
      want -= 0.1 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
      optimizer->step();
      EXPECT_NEAR(static_cast<double>(theta), want, 1e-6);
    }
  }
}

// The states are zero before it, so nothing has been rounded yet.
TEST(Optimizer, first_step_is_that_of_fp32) {
  for (const char* name : {"adamw8bit", "adamw4bit_block", "adamw4bit_rank1"}) {
    Model low(name), full("adamw32");
    low.step(1);
    full.step(1);
    EXPECT_EQ(low.values, full.values) << name;
  }
}

TEST(Optimizer, patterns_that_match_nothing_are_errors) {
  StateRules rules;
  rules.full_precision = {"p0", "lm_head*"};
  try {
    Model model("adamw4bit_block", rules);
    FAIL();
  } catch (const core::UserError& error) {
    EXPECT_NE(std::string(error.what()).find("\"lm_head*\""), std::string::npos) << error.what();
  }
  rules.full_precision = {};
  rules.stochastic = {"nothing"};
  EXPECT_THROW(Model("adamw4bit_block", rules), core::UserError);
}

TEST(Optimizer, patterns_and_threshold_choose_the_states) {
  StateRules rules;
  const std::int64_t quantized = Model("adamw4bit_block", rules).made->state_bytes();
  rules.full_precision = {"p5"};
  const std::int64_t elements = 129 * 1030;
  const std::int64_t codes = 2 * (elements / 2 + 4 * ((elements + 127) / 128));
  EXPECT_EQ(Model("adamw4bit_block", rules).made->state_bytes(), quantized - codes + 8 * elements);
  rules = {};
  rules.threshold = elements;
  EXPECT_EQ(Model("adamw4bit_block", rules).made->state_bytes(), Model("adamw32").made->state_bytes());
}

TEST(Optimizer, duplicate_names_and_other_dtypes_are_refused) {
  float value = 0;
  const Parameter one{"a", {1}, core::Dtype::kF32, &value};
  EXPECT_THROW(make_optimizer("sgd", {ParameterGroup{{one, one}}}), core::UserError);
  Parameter half = one;
  half.dtype = core::Dtype::kF16;
  EXPECT_THROW(make_optimizer("sgd", {ParameterGroup{{half}}}), core::UserError);
  EXPECT_THROW(make_optimizer("adamw5bit", {ParameterGroup{{one}}}), core::UserError);
  EXPECT_THROW(make_sgd({ParameterGroup{{one}}}, {{0, 0, true}, true}), core::UserError);
  AdafactorOptions torch;
  torch.rule = kernels::AdafactorRule::kTorch;
  torch.relative_step = true;
  EXPECT_THROW(make_adafactor({ParameterGroup{{one}}}, torch), core::UserError);
}

TEST(Optimizer, groups_have_their_own_lr_and_decay) {
  float a = 1, b = 1, zero = 0;
  const auto parameter = [&](const char* name, float* value) {
    return Parameter{name, {1}, core::Dtype::kF32, value, core::Dtype::kF32, &zero};
  };
  const auto optimizer = make_optimizer(
      "adamw32", {ParameterGroup{{parameter("a", &a)}, 0.5, 0.5}, ParameterGroup{{parameter("b", &b)}, 0.5, 0}});
  optimizer->step();
  EXPECT_FLOAT_EQ(a, 0.75F);
  EXPECT_EQ(b, 1);
  optimizer->set_lr(1, 0.1);
  optimizer->set_weight_decay(1, 1);
  optimizer->step();
  EXPECT_FLOAT_EQ(b, 0.9F);
}

// Section 1.13 of the reference: bytes of the buffers as allocated.
TEST(Optimizer, bytes_per_parameter) {
  const auto measured = [](const char* name, std::int64_t side) {
    ParameterGroup group;
    group.parameters.push_back({"w", {side, side}});
    return make_optimizer(name, {group})->bytes_per_parameter();
  };
  EXPECT_EQ(measured("adamw32", 1024), 8);
  EXPECT_EQ(measured("adamw4bit_block", 1024), 1.0625);
  EXPECT_NEAR(measured("adamw4bit_rank1", 1024), 1.039, 5e-4);
  EXPECT_NEAR(measured("adamw4bit_rank1", 4096), 1.033, 5e-4);
  EXPECT_NEAR(measured("factor4bit", 1024), 0.539, 5e-4);
  EXPECT_NEAR(measured("factor4bit", 4096), 0.533, 5e-4);
  EXPECT_NEAR(measured("sgdm4bit", 1024), 0.531, 5e-4);
  EXPECT_NEAR(measured("adamw8bit", 1024), 2.03, 2e-3);
  EXPECT_EQ(measured("sgd", 1024), 0);
}

// A step far below half a unit of bf16: rounding to nearest never moves the weight, stochastic rounding does on
// average.
TEST(Optimizer, bfloat16_weights) {
  constexpr std::size_t kCount = 100003;
  const auto mean_after = [](bool stochastic) {
    std::vector<std::uint16_t> weights(kCount, core::float_to_bfloat16(1.0F)), g(kCount, core::float_to_bfloat16(1.0F));
    ParameterGroup group{{{"w", {kCount}, core::Dtype::kBF16, weights.data(), core::Dtype::kBF16, g.data()}}, 1e-4, 0};
    StateRules rules;
    rules.stochastic_weights = stochastic;
    const auto optimizer = make_optimizer("sgd", {group}, rules);
    for (int step = 0; step < 10; ++step) optimizer->step();
    double sum = 0;
    for (const std::uint16_t weight : weights) sum += static_cast<double>(core::bfloat16_to_float(weight));
    return sum / kCount;
  };
  EXPECT_EQ(mean_after(false), 1);
  EXPECT_NEAR(mean_after(true), 1 - 10 * 1e-4, 5e-5);
}

TEST(Optimizer, bfloat16_trains_like_fp32) {
  constexpr std::size_t kRows = 65, kColumns = 81;
  std::vector<float> full = normal(kRows * kColumns, 1);
  std::vector<std::uint16_t> low;
  for (float& value : full) {
    low.push_back(core::float_to_bfloat16(value));
    value = core::bfloat16_to_float(low.back());
  }
  std::vector<std::uint16_t> g(full.size());
  const auto make = [&](core::Dtype dtype, void* values) {
    ParameterGroup group{{{"w", {kRows, kColumns}, dtype, values, core::Dtype::kBF16, g.data()}}, 0.01, 0.01};
    return make_optimizer("adamw4bit_rank1", {group});
  };
  const auto a = make(core::Dtype::kF32, full.data()), b = make(core::Dtype::kBF16, low.data());
  for (unsigned step = 0; step < 5; ++step) {
    const auto values = normal(full.size(), 50 + step);
    for (std::size_t i = 0; i < g.size(); ++i) g[i] = core::float_to_bfloat16(values[i]);
    a->step();
    b->step();
  }
  for (std::size_t i = 0; i < full.size(); ++i) {
    const float got = core::bfloat16_to_float(low[i]);
    ASSERT_NEAR(got, full[i], 5 * 0x1p-7F * std::max(std::abs(full[i]), 0.05F)) << i;
  }
}

TEST(Optimizer, damaged_and_foreign_files_are_refused) {
  const fs::path file = fs::path(::testing::TempDir()) / "optim_foreign.safetensors";
  StateRules rules;
  rules.full_precision = {"p0"};
  Model saved("adamw4bit_block", rules), model("adamw4bit_block");
  saved.made->save(file);
  EXPECT_THROW(model.made->load(file), core::UserError);  // p0 has another codec
  Model same("adamw4bit_block", rules);
  EXPECT_NO_THROW(same.made->load(file));
  float value = 0;
  const auto fewer = make_optimizer("adamw4bit_block", {ParameterGroup{{{"p3", {1}, core::Dtype::kF32, &value}}}});
  EXPECT_THROW(fewer->load(file), core::UserError);
  EXPECT_THROW(model.made->load(file.string() + ".absent"), core::UserError);
  fs::remove(file);
}

}  // namespace
}  // namespace qzo::optim
