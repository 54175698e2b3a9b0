#include "qzo/optim/registry.h"

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/optim/adafactor.h"
#include "qzo/optim/adamw.h"
#include "qzo/optim/sgd.h"
#include "qzo/optim/sm3.h"

namespace qzo::optim {
namespace {

using Groups = std::vector<ParameterGroup>;

struct Entry {
  const char* name;
  std::unique_ptr<Optimizer> (*make)(Groups groups, const StateRules& rules);
};

template <AdamwStates kStates>
std::unique_ptr<Optimizer> adamw(Groups groups, const StateRules& rules) {
  return make_adamw(std::move(groups), {kStates, {}}, rules);
}

template <bool kMomentum, bool kQuantized>
std::unique_ptr<Optimizer> sgd(Groups groups, const StateRules& rules) {
  SgdSettings settings;
  settings.rule.momentum = kMomentum ? 0.9 : 0;
  settings.quantized = kQuantized;
  return make_sgd(std::move(groups), settings, rules);
}

template <kernels::AdafactorRule kRule>
std::unique_ptr<Optimizer> adafactor(Groups groups, const StateRules& rules) {
  AdafactorOptions options;
  options.rule = kRule;
  return make_adafactor(std::move(groups), options, rules);
}

std::unique_ptr<Optimizer> sm3(Groups groups, const StateRules& rules) {
  return make_sm3(std::move(groups), 0.9, rules);
}

constexpr Entry kEntries[] = {{"adamw32", &adamw<AdamwStates::k32Bit>},
                              {"adamw8bit", &adamw<AdamwStates::k8Bit>},
                              {"adamw8bit_bnb", &adamw<AdamwStates::k8BitGrid>},
                              {"adamw4bit_block", &adamw<AdamwStates::k4BitBlock>},
                              {"adamw4bit_rank1", &adamw<AdamwStates::k4BitRank1>},
                              {"factor4bit", &adamw<AdamwStates::k4BitFactor>},
                              {"sgd", &sgd<false, false>},
                              {"sgdm32", &sgd<true, false>},
                              {"sgdm4bit", &sgd<true, true>},
                              {"adafactor", &adafactor<kernels::AdafactorRule::kTransformers>},
                              {"adafactor_torch", &adafactor<kernels::AdafactorRule::kTorch>},
                              {"sm3", &sm3}};

}  // namespace

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.name);
  return names;
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name, std::vector<ParameterGroup> groups,
                                          const StateRules& rules) {
  std::string known;
  for (const Entry& entry : kEntries) {
    if (name == entry.name) return entry.make(std::move(groups), rules);
    known += core::text(known.empty() ? "" : ", ", entry.name);
  }
  throw core::UserError(core::text("there is no optimizer ", core::quoted(name), ": choose one of ", known));
}

}  // namespace qzo::optim
