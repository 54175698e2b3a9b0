#include "qzo/optim/optimizer.h"

#include <algorithm>
#include <set>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::optim {
namespace {

using core::text;

void check_parameter(const Parameter& parameter, std::set<std::string>& names) {
  if (!names.insert(parameter.name).second)
    throw core::UserError(
        text("two parameters of the optimizer are called \"", parameter.name, "\": give each its own name"));
  for (const core::Dtype dtype : {parameter.dtype, parameter.gradient_dtype}) {
    if (dtype == core::Dtype::kF32 || dtype == core::Dtype::kBF16) continue;
    throw core::UserError(text("parameter \"", parameter.name, "\" or its gradient is ", core::dtype_info(dtype).name,
                               ": optimizers work on F32 and BF16, convert it"));
  }
}

bool matches(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return core::glob_match(pattern, name); });
}

void check_patterns(const char* field, const std::vector<std::string>& patterns, const std::set<std::string>& names) {
  for (const std::string& pattern : patterns) {
    if (std::any_of(names.begin(), names.end(),
                    [&](const std::string& name) { return core::glob_match(pattern, name); }))
      continue;
    const std::string near = core::nearest_name(pattern, {names.begin(), names.end()});
    throw core::UserError(text(field, " pattern \"", pattern, "\" matches none of the ", names.size(),
                               " parameters of the optimizer",
                               near.empty() ? "" : text(" (did you mean \"", near, "\"?)"), ": correct or remove it"));
  }
}

}  // namespace

kernels::ParameterView Optimizer::Slot::view() const {
  return {count, parameter.dtype, parameter.values, parameter.gradient_dtype, parameter.gradient, id};
}

std::vector<std::int64_t> Optimizer::Slot::shape_without(std::size_t axis_from_end) const {
  std::vector<std::int64_t> shape = parameter.shape;
  shape.erase(shape.end() - static_cast<std::ptrdiff_t>(axis_from_end));
  return shape;
}

Optimizer::Optimizer(std::string name, std::vector<ParameterGroup> groups, const StateRules& rules)
    : name_(std::move(name)), rules_(rules) {
  std::set<std::string> names;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    groups_.push_back({groups[group].lr, groups[group].weight_decay});
    for (Parameter& parameter : groups[group].parameters) {
      check_parameter(parameter, names);
      Slot slot;
      slot.group = group;
      slot.count = kernels::state_layout(kPlain, parameter.shape).elements;
      slot.id = static_cast<std::uint32_t>(slots_.size());
      slot.full_precision = slot.count <= rules.threshold || matches(rules.full_precision, parameter.name);
      slot.stochastic = matches(rules.stochastic, parameter.name);
      slot.parameter = std::move(parameter);
      slots_.push_back(std::move(slot));
    }
  }
  check_patterns("full_precision", rules.full_precision, names);
  check_patterns("stochastic", rules.stochastic, names);
}

void Optimizer::add_state(Slot& slot, std::string key, const kernels::StateCodec& codec,
                          kernels::StateRounding rounding) {
  const bool stochastic = slot.stochastic && rounding == kernels::StateRounding::kNearest;
  slot.states.emplace_back(std::move(key), slot.full_precision ? kPlain : codec, slot.parameter.shape,
                           stochastic ? kernels::StateRounding::kStochastic : rounding);
}

void Optimizer::step() {
  std::vector<Slot*> active;
  for (Slot& slot : slots_)
    if (slot.parameter.gradient != nullptr) active.push_back(&slot);
  ++steps_;
  QZO_CHECK(steps_ <= 0xFFFFFFFFU, "step ", steps_, " does not fit the noise key");
  for (Slot* slot : active) ++slot->steps;
  update(active, {rules_.stochastic_weights, {rules_.seed, static_cast<std::uint32_t>(steps_)}});
}

bool Optimizer::gradients_finite() const {
  std::vector<kernels::ParameterView> views;
  for (const Slot& slot : slots_)
    if (slot.parameter.gradient != nullptr) views.push_back(slot.view());
  return kernels::gradients_finite(views);
}

bool Optimizer::step_if_finite() {
  if (!gradients_finite()) {
    ++skipped_;
    return false;
  }
  step();
  return true;
}

void Optimizer::set_gradient(std::size_t parameter, const void* gradient) {
  slots_.at(parameter).parameter.gradient = gradient;
}
void Optimizer::set_lr(std::size_t group, double lr) { groups_.at(group).lr = lr; }
void Optimizer::set_weight_decay(std::size_t group, double weight_decay) {
  groups_.at(group).weight_decay = weight_decay;
}

std::int64_t Optimizer::state_bytes() const {
  std::int64_t bytes = 0;
  for (const Slot& slot : slots_)
    for (const StateTensor& state : slot.states) bytes += state.bytes();
  return bytes;
}

double Optimizer::bytes_per_parameter() const {
  std::int64_t elements = 0;
  for (const Slot& slot : slots_) elements += slot.count;
  return elements == 0 ? 0 : static_cast<double>(state_bytes()) / static_cast<double>(elements);
}

}  // namespace qzo::optim
