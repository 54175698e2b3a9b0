#include "qzo/optim/adafactor.h"

#include <algorithm>
#include <cmath>

#include "qzo/core/error.h"

#include "optim/factored.h"

namespace qzo::optim {
namespace {

using kernels::AdafactorRule;

constexpr double kDecayRate = -0.8;

class Adafactor final : public Optimizer {
 public:
  Adafactor(std::vector<ParameterGroup> groups, const AdafactorOptions& options, const StateRules& rules)
      : Optimizer(options.rule == AdafactorRule::kTorch ? "adafactor_torch" : "adafactor", std::move(groups), rules),
        options_(options) {
    for (Slot& slot : slots()) {
      if (factored(slot)) {
        slot.states.emplace_back("exp_avg_sq_row", kPlain, slot.shape_without(1));
        slot.states.emplace_back("exp_avg_sq_col", kPlain, slot.shape_without(2));
      } else {
        add_state(slot, "exp_avg_sq", kPlain);
      }
      if (options_.beta1 != 0) add_state(slot, "exp_avg", kPlain);
    }
  }

 protected:
  void update(const std::vector<Slot*>& active, const kernels::StepRounding& rounding) override {
    kernels::AdafactorSettings settings;
    settings.rule = options_.rule;
    settings.scale_by_rms = options_.scale_by_rms || options_.rule == AdafactorRule::kTorch;
    settings.clip = options_.clip;
    settings.beta1 = options_.beta1;
    std::vector<kernels::AdafactorTensor> tensors;
    for (Slot* slot : active) {
      const Group& group = group_of(*slot);
      kernels::AdafactorTensor tensor;
      tensor.parameter = slot->view();
      tensor.factored = factored(*slot);
      if (tensor.factored) {
        tensor.factors = factored_view(slot->parameter.shape, slot->states[0].values(), slot->states[1].values());
      } else {
        tensor.second = slot->states[0].values();
      }
      if (options_.beta1 != 0) tensor.average = slot->states.back().values();
      const auto t = static_cast<double>(slot->steps);
      tensor.keep = 1 - std::pow(t, kDecayRate);
      tensor.lr = lr_at(t, group.lr);
      tensor.weight_decay = group.weight_decay;
      tensor.decay_lr = group.lr;
      tensors.push_back(tensor);
    }
    kernels::adafactor_step(tensors, settings, rounding);
  }

 private:
  static bool factored(const Slot& slot) { return slot.parameter.shape.size() >= 2; }

  [[nodiscard]] double lr_at(double t, double lr) const {
    if (options_.rule == AdafactorRule::kTorch) return std::min(lr, 1 / std::sqrt(t));
    return options_.relative_step ? std::min(1e-2, 1 / std::sqrt(t)) : lr;
  }

  AdafactorOptions options_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adafactor(std::vector<ParameterGroup> groups, const AdafactorOptions& options,
                                          const StateRules& rules) {
  if (options.rule == AdafactorRule::kTorch && (options.beta1 != 0 || options.relative_step || options.scale_by_rms)) {
    throw core::UserError(
        "adafactor_torch has no beta1, relative_step or scale_by_rms: leave them at their defaults, or use adafactor");
  }
  return std::make_unique<Adafactor>(std::move(groups), options, rules);
}

}  // namespace qzo::optim
