#include "qzo/optim/adamw.h"

#include <cmath>

#include "optim/factored.h"

namespace qzo::optim {
namespace {

struct States {
  AdamwStates states;
  const char* name;
  kernels::StateCodec m, v;
  kernels::StateRounding rounding;
};

constexpr auto kNearest = kernels::StateRounding::kNearest;
constexpr States kStates[] = {
    {AdamwStates::k32Bit, "adamw32", kPlain, kPlain, kNearest},
    {AdamwStates::k8Bit, "adamw8bit", kSigned8, kUnsigned8, kNearest},
    {AdamwStates::k8BitGrid, "adamw8bit_bnb", kSigned8, kUnsigned8, kernels::StateRounding::kGrid},
    {AdamwStates::k4BitBlock, "adamw4bit_block", kSigned4, kBlockLinear4, kNearest},
    {AdamwStates::k4BitRank1, "adamw4bit_rank1", kSigned4, kRank1Linear4, kNearest},
    {AdamwStates::k4BitFactor, "factor4bit", kSigned4, kRank1Linear4, kNearest}};

const States& states_of(AdamwStates states) { return kStates[static_cast<std::size_t>(states)]; }

class Adamw final : public Optimizer {
 public:
  Adamw(std::vector<ParameterGroup> groups, const AdamwSettings& settings, const StateRules& rules)
      : Optimizer(states_of(settings.states).name, std::move(groups), rules), settings_(settings) {
    const States& states = states_of(settings.states);
    for (Slot& slot : slots()) {
      add_state(slot, "exp_avg", states.m, states.rounding);
      if (factored(slot)) {
        slot.states.emplace_back("exp_avg_sq_row", kPlain, slot.shape_without(1));
        slot.states.emplace_back("exp_avg_sq_col", kPlain, slot.shape_without(2));
      } else {
        add_state(slot, "exp_avg_sq", states.v, states.rounding);
      }
    }
  }

 protected:
  void update(const std::vector<Slot*>& active, const kernels::StepRounding& rounding) override {
    std::vector<kernels::AdamwTensor> plain;
    std::vector<kernels::FactorTensor> factor;
    for (Slot* slot : active) {
      const Group& group = group_of(*slot);
      const auto [decay, step, root] = adamw_factors(settings_.rule, group.lr, group.weight_decay, slot->steps);
      auto& states = slot->states;
      if (factored(*slot)) {
        const auto view = factored_view(slot->parameter.shape, states[1].values(), states[2].values());
        factor.push_back({slot->view(), states[0].view(), view, decay, step, root});
      } else {
        plain.push_back({slot->view(), states[0].view(), states[1].view(), decay, step, root});
      }
    }
    kernels::adamw_step(plain, settings_.rule, rounding);
    kernels::factor_step(factor, settings_.rule, rounding);
  }

 private:
  [[nodiscard]] bool factored(const Slot& slot) const {
    return settings_.states == AdamwStates::k4BitFactor && slot.parameter.shape.size() >= 2;
  }

  AdamwSettings settings_;
};

}  // namespace

AdamwFactors adamw_factors(const kernels::AdamwRule& rule, double lr, double weight_decay, std::int64_t steps) {
  const auto t = static_cast<double>(steps);
  return {1 - lr * weight_decay, lr / (1 - std::pow(rule.beta1, t)), 1 / std::sqrt(1 - std::pow(rule.beta2, t))};
}

std::unique_ptr<Optimizer> make_adamw(std::vector<ParameterGroup> groups, const AdamwSettings& settings,
                                      const StateRules& rules) {
  return std::make_unique<Adamw>(std::move(groups), settings, rules);
}

}  // namespace qzo::optim
