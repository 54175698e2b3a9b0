#pragma once
// Stochastic gradient descent: plain ("sgd"), with an fp32 momentum ("sgdm32") or a 4-bit one ("sgdm4bit", blocks of
// 128, dynamic exponent). Decay is coupled: d = g + weight_decay theta; the first momentum is d.

#include <memory>

#include "qzo/optim/optimizer.h"

namespace qzo::optim {

struct SgdSettings {
  kernels::SgdRule rule;  // momentum 0: no state
  bool quantized = true;  // the momentum
};

// UserError for Nesterov without momentum, or with dampening.
std::unique_ptr<Optimizer> make_sgd(std::vector<ParameterGroup> groups, const SgdSettings& settings,
                                    const StateRules& rules = {});

}  // namespace qzo::optim
