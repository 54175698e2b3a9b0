#include "qzo/optim/sgd.h"

#include "qzo/core/error.h"

namespace qzo::optim {
namespace {

const char* name_of(const SgdSettings& settings) {
  if (settings.rule.momentum == 0) return "sgd";
  return settings.quantized ? "sgdm4bit" : "sgdm32";
}

class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup> groups, const SgdSettings& settings, const StateRules& rules)
      : Optimizer(name_of(settings), std::move(groups), rules), rule_(settings.rule) {
    if (rule_.momentum == 0) return;
    for (Slot& slot : slots()) add_state(slot, "momentum_buffer", settings.quantized ? kSigned4 : kPlain);
  }

 protected:
  void update(const std::vector<Slot*>& active, const kernels::StepRounding& rounding) override {
    std::vector<kernels::SgdTensor> tensors;
    for (Slot* slot : active) {
      const Group& group = group_of(*slot);
      kernels::SgdTensor tensor{slot->view(), {}, group.lr, group.weight_decay, slot->steps == 1};
      if (rule_.momentum != 0) tensor.m = slot->states[0].view();
      tensors.push_back(tensor);
    }
    kernels::sgd_step(tensors, rule_, rounding);
  }

 private:
  kernels::SgdRule rule_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(std::vector<ParameterGroup> groups, const SgdSettings& settings,
                                    const StateRules& rules) {
  if (settings.rule.nesterov && (settings.rule.momentum == 0 || settings.rule.dampening != 0))
    throw core::UserError(
        "Nesterov's momentum needs a momentum above 0 and no dampening: set momentum, or nesterov to false");
  return std::make_unique<Sgd>(std::move(groups), settings, rules);
}

}  // namespace qzo::optim
