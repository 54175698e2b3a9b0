// Twenty steps beside the golden trajectories; tolerances and definitions: README.md of the oracles.

#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "qzo/core/json_file.h"
#include "qzo/optim/adafactor.h"
#include "qzo/optim/adamw.h"
#include "qzo/optim/sgd.h"
#include "qzo/optim/sm3.h"

#include "support/each_isa.h"
#include "support/oracle.h"

namespace qzo::optim {
namespace {

constexpr double kParameterTolerance = 2e-6;
constexpr double kRelative = 1e-5, kAbsolute = 1e-7;

using Make = std::function<std::unique_ptr<Optimizer>(std::vector<ParameterGroup>)>;

struct GoldenRun {
  const char* name;
  double lr, weight_decay;
  Make make;
};

Make adamw(AdamwStates states, std::int64_t threshold = 4096) {
  return [=](std::vector<ParameterGroup> groups) {
    StateRules rules;
    rules.threshold = threshold;
    return make_adamw(std::move(groups), {states, {}}, rules);
  };
}

Make sgd(bool quantized, bool nesterov) {
  return [=](std::vector<ParameterGroup> groups) {
    return make_sgd(std::move(groups), {{0.9, 0, nesterov}, quantized});
  };
}

Make adafactor(const AdafactorOptions& options) {
  return [=](std::vector<ParameterGroup> groups) { return make_adafactor(std::move(groups), options); };
}

std::vector<GoldenRun> runs() {
  AdafactorOptions beta09, relative, torch;
  beta09.beta1 = 0.9;
  relative.relative_step = relative.scale_by_rms = true;
  torch.rule = kernels::AdafactorRule::kTorch;
  return {{"adamw32", 0.002, 0.05, adamw(AdamwStates::k32Bit)},
          {"adamw4bit_block", 0.002, 0.05, adamw(AdamwStates::k4BitBlock)},
          {"adamw4bit_rank1", 0.002, 0.05, adamw(AdamwStates::k4BitRank1)},
          {"factor4bit", 0.002, 0.05, adamw(AdamwStates::k4BitFactor)},
          {"adamw8bit_exact", 0.002, 0.05, adamw(AdamwStates::k8Bit)},
          {"adamw8bit_bnb", 0.002, 0.05, adamw(AdamwStates::k8BitGrid, 4095)},
          {"sgdm4bit", 0.05, 0.01, sgd(true, false)},
          {"sgdm4bit_nesterov", 0.05, 0.01, sgd(true, true)},
          {"sgdm32", 0.05, 0.01, sgd(false, false)},
          {"adafactor_hf_beta0", 0.002, 0.05, adafactor({})},
          {"adafactor_hf_beta09", 0.002, 0.05, adafactor(beta09)},
          {"adafactor_hf_relative", 0, 0, adafactor(relative)},
          {"adafactor_torch", 0.01, 0.05, adafactor(torch)},
          {"sm3", 0.05, 0.01, [](std::vector<ParameterGroup> groups) { return make_sm3(std::move(groups), 0.9); }}};
}

// Names of states in the files of the other libraries.
std::string oracle_name(const std::string& run, const std::string& ours) {
  static const std::map<std::string, std::string> bnb = {
      {"exp_avg", "state1"},        {"exp_avg_sq", "state2"},       {"exp_avg.codes", "state1"},
      {"exp_avg.scale", "absmax1"}, {"exp_avg_sq.codes", "state2"}, {"exp_avg_sq.scale", "absmax2"}};
  static const std::map<std::string, std::string> torch = {
      {"exp_avg_sq", "variance"}, {"exp_avg_sq_row", "row_var"}, {"exp_avg_sq_col", "col_var"}};
  const auto& names = run == "adamw8bit_bnb"     ? bnb
                      : run == "adafactor_torch" ? torch
                                                 : std::map<std::string, std::string>{};
  const auto found = names.find(ours);
  return found == names.end() ? ours : found->second;
}

class Trajectory {
 public:
  explicit Trajectory(const GoldenRun& run)
      : run_(run),
        inputs_(folder() / "traj_inputs.safetensors"),
        file_(folder() / ("traj_" + std::string(run.name) + ".safetensors")) {
    ParameterGroup group;
    group.lr = run.lr;
    group.weight_decay = run.weight_decay;
    const core::Json shapes = core::read_json(folder() / "traj.json")["shapes"];
    for (const auto& [name, shape] : shapes.items()) names_.push_back(name);
    for (const std::string& name : names_) values_.push_back(inputs_.floats("init/" + name));
    for (std::size_t i = 0; i < names_.size(); ++i)
      group.parameters.push_back(
          {names_[i], shapes[names_[i]].get<std::vector<std::int64_t>>(), core::Dtype::kF32, values_[i].data()});
    optimizer_ = run.make({group});
  }
  static std::filesystem::path folder() { return tests::oracles() / "optim"; }

  void check() {
    for (int step = 1; step <= 20; ++step) {
      const std::string number = (step < 10 ? "0" : "") + std::to_string(step);
      std::vector<std::vector<float>> gradients;
      for (const std::string& name : names_) gradients.push_back(inputs_.floats("grad" + number + "/" + name));
      for (std::size_t i = 0; i < names_.size(); ++i) optimizer_->set_gradient(i, gradients[i].data());
      optimizer_->step();
      for (std::size_t i = 0; i < names_.size(); ++i) {
        const std::string key = "step" + number + "/" + names_[i];
        if (has(key)) compare(key, values_[i], kParameterTolerance, 0);
      }
      if (step == 1 || step == 20) check_states("state" + number + "/");
    }
    EXPECT_GE(compared_, 18);  // two variants have parameters of steps 5 and 20 only
  }

 private:
  [[nodiscard]] bool has(const std::string& name) const {
    return std::any_of(file_.entries().begin(), file_.entries().end(),
                       [&](const auto& entry) { return entry.name == name; });
  }

  void compare(const std::string& key, std::span<const float> got, double absolute, double relative) {
    const std::vector<float> want = file_.floats(key);
    ASSERT_EQ(got.size(), want.size()) << key;
    std::size_t worst = 0;
    double excess = -1;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double a = static_cast<double>(got[i]), b = static_cast<double>(want[i]);
      const double over = std::abs(a - b) - absolute - relative * std::abs(b);
      if (!(over <= excess)) excess = over, worst = i;
    }
    EXPECT_LE(excess, 0) << key << " element " << worst << ": " << got[worst] << ", expected " << want[worst];
    ++compared_;
  }

  // Through the state file, which names what it holds.
  void check_states(const std::string& prefix) {
    const auto path = std::filesystem::path(::testing::TempDir()) / "optim_trajectory.safetensors";
    optimizer_->save(path);
    const tests::OracleTensors saved(path);
    for (const io::TensorEntry& entry : saved.entries()) {
      const auto slash = entry.name.find('/');
      const std::string parameter = entry.name.substr(0, slash), state = entry.name.substr(slash + 1);
      if (state == "acc") {
        check_accumulators(prefix + parameter + "/acc", saved.floats(entry.name));
        continue;
      }
      const std::string key = prefix + parameter + "/" + oracle_name(run_.name, state);
      if (!has(key)) continue;
      if (entry.dtype == core::Dtype::kF32) {
        compare(key, saved.floats(entry.name), kAbsolute, kRelative);
      } else {
        const auto want = file_.entry(key).bytes;
        ASSERT_EQ(want.size(), entry.bytes.size()) << key;
        EXPECT_EQ(std::memcmp(want.data(), entry.bytes.data(), want.size()), 0) << key;
        ++compared_;
      }
    }
    std::filesystem::remove(path);
  }

  void check_accumulators(const std::string& key, const std::vector<float>& all) {
    std::size_t first = 0;
    for (int axis = 0; has(key + std::to_string(axis)); ++axis) {
      const std::size_t count = file_.floats(key + std::to_string(axis)).size();
      ASSERT_LE(first + count, all.size());
      compare(key + std::to_string(axis), std::span(all).subspan(first, count), kAbsolute, kRelative);
      first += count;
    }
  }

  const GoldenRun& run_;
  tests::OracleTensors inputs_, file_;
  std::vector<std::string> names_;
  std::vector<std::vector<float>> values_;
  std::unique_ptr<Optimizer> optimizer_;
  int compared_ = 0;
};

TEST(Trajectory, golden) {
  if (!std::filesystem::exists(Trajectory::folder()))
    GTEST_SKIP() << "no golden trajectories at " << Trajectory::folder();
  const std::vector<GoldenRun> all = runs();
  test::for_each_isa([&] {
    for (const GoldenRun& run : all) {
      SCOPED_TRACE(run.name);
      Trajectory(run).check();
    }
  });
}

}  // namespace
}  // namespace qzo::optim
