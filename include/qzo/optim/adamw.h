#pragma once
// AdamW with states of 32, 8 and 4 bits, and with a factored second moment.
//
//   theta *= 1 - lr weight_decay; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
//   theta -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
//
// with the m and v that were not rounded yet; t counts the steps of the parameter.

#include <memory>

#include "qzo/optim/optimizer.h"

namespace qzo::optim {

enum class AdamwStates : std::uint8_t {
  k32Bit,      // adamw32
  k8Bit,       // adamw8bit: blocks of 256, dynamic exponent, exact nearest
  k8BitGrid,   // adamw8bit_bnb: the codes of bitsandbytes' CPU kernel; for comparison only
  k4BitBlock,  // adamw4bit_block: m blocks of 128, dynamic exponent; v blocks of 128, linear (the published fused
               // variant)
  k4BitRank1,  // adamw4bit_rank1: v rank-1 (the paper's and the default file's choice)
  k4BitFactor  // factor4bit: v of two axes and more (small ones too) as row and column means, otherwise as rank-1
};

// The numbers of the rule above that change with the step of a parameter, for who calls kernels::adamw_step himself.
struct AdamwFactors {
  double decay, step, root;  // kernels::AdamwTensor
};
AdamwFactors adamw_factors(const kernels::AdamwRule& rule, double lr, double weight_decay, std::int64_t steps);

struct AdamwSettings {
  AdamwStates states = AdamwStates::k4BitRank1;
  kernels::AdamwRule rule;
};

std::unique_ptr<Optimizer> make_adamw(std::vector<ParameterGroup> groups, const AdamwSettings& settings,
                                      const StateRules& rules = {});

}  // namespace qzo::optim
