#include "qzo/zo/qzo.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "qzo/core/error.h"
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

TEST(Qzo, twenty_thousand_steps_without_an_update_leave_every_bit_of_the_masters) {
  for (const auto mode : {kernels::EpsMode::kAbsolute, kernels::EpsMode::kRelative}) {
    Toy toy;
    const std::uint64_t before = scales_checksum(toy.tensors);
    QzoSettings settings;
    settings.eps_mode = mode;
    for (std::uint64_t step = 0; step < 20000; ++step) qzo_step(settings, step, 0, toy.tensors, toy.loss());
    EXPECT_EQ(scales_checksum(toy.tensors), before);
  }
}

// z is the same everywhere in a tensor: 1 in direction 0, -2 in direction 1.
class GivenNoise : public kernels::Noise {
 public:
  explicit GivenNoise(kernels::NoiseKey key) : value_(key.direction == 0 ? 1.0F : -2.0F) {}
  void fill(std::uint32_t, std::int64_t, std::span<float> out) const override {
    std::fill(out.begin(), out.end(), value_);
  }

 private:
  float value_;
};

TEST(Qzo, directions_are_probed_at_the_same_scales_and_averaged) {
  std::vector<float> values = {8.0F, 16.0F};
  std::vector<TrainableScales> tensors = {{"t", 0, values, false, {}}};
  QzoSettings settings;
  settings.eps = 0.5;
  settings.directions = 2;
  std::vector<float> seen;
  // L = 3 s0: d is 3 z of the direction. All numbers are exact in fp32.
  const LossFunction loss = [&](const kernels::Probe& probe) {
    std::vector<float> plus(2), minus(2);
    kernels::perturb(values, probe, 0, plus.data(), minus.data());
    seen.insert(seen.end(), {plus[0], minus[0]});
    return LossPair{3.0 * plus[0], 3.0 * minus[0]};
  };
  std::vector<float> at_announcement;
  const auto records = qzo_step(
      settings, 9, 0.25, tensors, loss, [](kernels::NoiseKey key) { return std::make_unique<GivenNoise>(key); },
      [&](std::span<const StepRecord> announced) {
        ASSERT_EQ(announced.size(), 2U);
        EXPECT_EQ(announced[1].d_applied, -6);
        at_announcement = values;
      });
  EXPECT_EQ(seen, (std::vector<float>{8.5F, 7.5F, 7.0F, 9.0F}));
  EXPECT_EQ(at_announcement, (std::vector<float>{8.0F, 16.0F})) << "records are announced before masters are touched";
  EXPECT_EQ(records[0].d_raw, 3);
  EXPECT_EQ(records[0].lr, 0.125F);
  // s - lr/2 (3 * 1 + -6 * -2)
  EXPECT_EQ(values, (std::vector<float>{8.0F - 0.125F * 15, 16.0F - 0.125F * 15}));
}

TEST(Qzo, floors_hold_positive_scales_only) {
  std::vector<float> positive = {0.5F, 1e-9F, 2e-7F};
  std::vector<float> free = positive;
  std::vector<TrainableScales> tensors = {{"positive", 0, positive, false, {}}, {"signed", 1, free, true, {}}};
  StepRecord record;
  record.lr = 1;
  record.d_applied = 4;
  apply_record(record, kernels::EpsMode::kAbsolute, 1e-7, tensors, GivenNoise({}));
  EXPECT_EQ(positive, (std::vector<float>{1e-7F, 1e-9F, 1e-7F})) << "and a scale below the floor is not raised";
  for (const float value : free) EXPECT_LT(value, -3);
}

TEST(Qzo, impossible_records_are_refused) {
  Toy toy;
  StepRecord record;
  record.direction = 256;  // would share its noise with direction 0
  EXPECT_THROW(apply_record(record, kernels::EpsMode::kAbsolute, 0, toy.tensors), core::InternalError);
  record.direction = 0;
  record.step = 1ULL << 32;
  EXPECT_THROW(apply_record(record, kernels::EpsMode::kAbsolute, 0, toy.tensors), core::InternalError);
  record.step = 0;
  toy.frozen[0] = 50;
  EXPECT_THROW(apply_record(record, kernels::EpsMode::kAbsolute, 0, toy.tensors), core::InternalError);
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
  // Warm-up and fall meet at the peak.
  EXPECT_EQ(learning_rate(Schedule::kCosine, 2, 3, 10, 3), 2);
  EXPECT_LT(learning_rate(Schedule::kCosine, 2, 3, 10, 2), 2);
  EXPECT_LT(learning_rate(Schedule::kCosine, 2, 3, 10, 4), 2);
  EXPECT_EQ(learning_rate(Schedule::kCosine, 2, 0, 10, 11), 0);
  EXPECT_EQ(learning_rate(Schedule::kLinear, 2, 10, 10, 10), 2) << "a warm-up as long as the run never falls";
}

}  // namespace
}  // namespace qzo::zo
