#include "qzo/zo/qzo.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "qzo/core/thread_pool.h"
#include "qzo/zo/schedule.h"

namespace qzo::zo {
namespace {

// Two tensors of scales and the loss 0.5 mean (s - target)^2 seen through a probe.
struct Toy {
  std::vector<float> a = std::vector<float>(300, 0.5F);
  std::vector<float> b = std::vector<float>(50, 0.1F);
  std::vector<std::int64_t> frozen = {7};
  std::vector<TrainableScales> tensors = {{"a", 0, a, false, {}}, {"b", 1, b, false, frozen}};

  [[nodiscard]] static double distance(const std::vector<float>& values, double target) {
    double sum = 0;
    for (const float v : values) sum += 0.5 * (v - target) * (v - target);
    return sum;
  }
  [[nodiscard]] double value() const { return distance(a, 0.3) + distance(b, 0.4); }

  LossFunction loss() {
    return [this](const kernels::Probe& probe) {
      LossPair pair;
      for (const auto& [values, id, target] : {std::tuple{&a, 0U, 0.3}, std::tuple{&b, 1U, 0.4}}) {
        std::vector<float> plus(values->size()), minus(values->size());
        kernels::perturb(*values, probe, id, plus.data(), minus.data());
        pair.plus += distance(plus, target);
        pair.minus += distance(minus, target);
      }
      return pair;
    };
  }
};

TEST(Qzo, minimises_a_quadratic) {
  Toy toy;
  QzoSettings settings;
  settings.seed = 4;
  const double start = toy.value();
  for (std::uint64_t step = 0; step < 2000; ++step) qzo_step(settings, step, 1e-3, toy.tensors, toy.loss());
  EXPECT_LT(toy.value(), 0.05 * start);
  EXPECT_EQ(toy.b[7], 0.1F) << "frozen elements never move";
}

TEST(Qzo, probes_leave_masters_untouched) {
  Toy toy;
  const auto before = toy.a;
  const LossFunction loss = toy.loss();
  for (std::uint32_t step = 0; step < 20000; step += 100) {
    const kernels::PhiloxNoise noise({1, step, 0});
    loss({&noise, 1e-3F, kernels::EpsMode::kAbsolute, kernels::Signs::kBoth});
  }
  EXPECT_EQ(toy.a, before);
}

TEST(Qzo, replaying_records_gives_the_same_bits_for_any_thread_count) {
  for (const auto mode : {kernels::EpsMode::kAbsolute, kernels::EpsMode::kRelative}) {
    Toy live, replayed;
    QzoSettings settings;
    settings.eps_mode = mode;
    settings.directions = 3;
    settings.clip = 0.5;
    std::vector<StepRecord> journal;
    core::set_thread_count(2);
    for (std::uint64_t step = 0; step < 50; ++step) {
      const auto records = qzo_step(settings, step, 1e-2, live.tensors, live.loss());
      ASSERT_EQ(records.size(), 3U);
      journal.insert(journal.end(), records.begin(), records.end());
    }
    core::set_thread_count(1);
    for (const StepRecord& record : journal) apply_record(record, mode, settings.floor, replayed.tensors);
    EXPECT_EQ(live.a, replayed.a);
    EXPECT_EQ(live.b, replayed.b);
    EXPECT_EQ(scales_checksum(live.tensors), scales_checksum(replayed.tensors));
    replayed.a[3] = std::nextafter(replayed.a[3], 1.0F);
    EXPECT_NE(scales_checksum(live.tensors), scales_checksum(replayed.tensors));
  }
  core::set_thread_count(0);
}

TEST(Qzo, clips_and_says_so) {
  QzoSettings settings;
  settings.eps = 0.5;
  settings.clip = 2;
  const StepRecord over = make_record(settings, 3, 0, 0.1, {7, 4});
  EXPECT_EQ(over.d_raw, 3);
  EXPECT_EQ(over.d_applied, 2);
  EXPECT_TRUE(over.clipped);
  const StepRecord under = make_record(settings, 3, 0, 0.1, {4, 5});
  EXPECT_EQ(under.d_applied, -1);
  EXPECT_FALSE(under.clipped);
  settings.clip.reset();
  EXPECT_EQ(make_record(settings, 3, 0, 0.1, {700, 4}).d_applied, 696);
}

TEST(Qzo, a_loss_that_is_not_finite_changes_nothing) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Toy toy;
    const auto before = toy.a;
    QzoSettings settings;
    settings.directions = 2;
    int call = 0;
    bool announced = false;
    const auto records = qzo_step(
        settings, 0, 1, toy.tensors,
        [&](const kernels::Probe&) {
          return LossPair{1, call++ == 1 ? bad : 0.5};
        },
        {},
        [&](std::span<const StepRecord> seen) { announced = seen.size() == 2 && seen[0].skipped && seen[1].skipped; });
    EXPECT_TRUE(announced);
    EXPECT_TRUE(records[0].skipped && records[1].skipped) << "the whole step is skipped";
    EXPECT_EQ(toy.a, before);
  }
}

TEST(Schedule, is_a_function_of_the_step) {
  EXPECT_EQ(learning_rate(Schedule::kConstant, 2, 0, 10, 9), 2);
  EXPECT_EQ(learning_rate(Schedule::kLinear, 2, 0, 10, 0), 2);
  EXPECT_EQ(learning_rate(Schedule::kLinear, 2, 0, 10, 5), 1);
  EXPECT_EQ(learning_rate(Schedule::kLinear, 2, 0, 10, 10), 0);
  EXPECT_NEAR(learning_rate(Schedule::kCosine, 2, 0, 10, 5), 1, 1e-12);
  EXPECT_NEAR(learning_rate(Schedule::kConstant, 2, 3, 10, 0), 0.5, 1e-12);
  EXPECT_EQ(learning_rate(Schedule::kConstant, 2, 3, 10, 3), 2);
}

}  // namespace
}  // namespace qzo::zo
