#include "qzo/optim/sm3.h"

#include <numeric>

namespace qzo::optim {
namespace {

class Sm3 final : public Optimizer {
 public:
  Sm3(std::vector<ParameterGroup> groups, double momentum, const StateRules& rules)
      : Optimizer("sm3", std::move(groups), rules), momentum_(momentum) {
    for (Slot& slot : slots()) {
      add_state(slot, "momentum", kPlain);
      const auto& shape = slot.parameter.shape;
      // Axis 0, axis 1, ... one after the other.
      slot.states.emplace_back(
          "acc", kPlain,
          std::vector{shape.size() < 2 ? slot.count : std::accumulate(shape.begin(), shape.end(), std::int64_t{0})});
    }
  }

 protected:
  void update(const std::vector<Slot*>& active, const kernels::StepRounding& rounding) override {
    std::vector<kernels::Sm3Tensor> tensors;
    for (Slot* slot : active) {
      const Group& group = group_of(*slot);
      tensors.push_back({slot->view(), slot->parameter.shape, slot->states[1].values(), slot->states[0].values(),
                         group.lr, group.weight_decay});
    }
    kernels::sm3_step(tensors, momentum_, rounding);
  }

 private:
  double momentum_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sm3(std::vector<ParameterGroup> groups, double momentum, const StateRules& rules) {
  return std::make_unique<Sm3>(std::move(groups), momentum, rules);
}

}  // namespace qzo::optim
