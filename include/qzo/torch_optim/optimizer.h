#pragma once
// The optimizers over LibTorch tensors, to stand where torch::optim's stood. Headers only, so that the optimizers
// themselves are built without LibTorch.

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/core/error.h"
#include "qzo/optim/registry.h"

namespace qzo::torch_optim {

struct Options {
  double lr = 1e-3;
  double weight_decay = 0;
  optim::StateRules rules = {};
};

// Names: optim::optimizer_names(). Parameters are called "0", "1", ... in rules and state files. They are kept as long
// as this object lives; the gradients of a step are those the parameters have then.
class Optimizer {
 public:
  // UserError for a parameter that is not a contiguous fp32 or bf16 CPU tensor.
  Optimizer(const std::string& name, std::vector<at::Tensor> parameters, const Options& options = {})
      : parameters_(std::move(parameters)) {
    optim::ParameterGroup group{{}, options.lr, options.weight_decay};
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const at::Tensor& tensor = parameters_[i];
      optim::Parameter parameter;
      parameter.name = std::to_string(i);
      parameter.shape.assign(tensor.sizes().begin(), tensor.sizes().end());
      parameter.dtype = parameter.gradient_dtype = checked(tensor, "parameter " + parameter.name);
      parameter.values = tensor.data_ptr();
      group.parameters.push_back(std::move(parameter));
    }
    optimizer_ = optim::make_optimizer(name, {std::move(group)}, options.rules);
  }

  // optim::Optimizer::step(): gradients have to be finite, as for torch::optim's. A parameter without gradient sits the
  // step out; a gradient that is not contiguous is copied.
  void step() {
    const std::vector<at::Tensor> held = lend_gradients();
    optimizer_->step();
  }
  // The same, but where a gradient holds a NaN or an infinity nothing changes, and false; a pass over the gradients
  // more.
  bool step_if_finite() {
    const std::vector<at::Tensor> held = lend_gradients();
    return optimizer_->step_if_finite();
  }

  void zero_grad() {
    for (const at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
  }

  // Learning rates, state bytes, saving and loading.
  [[nodiscard]] optim::Optimizer& states() { return *optimizer_; }

 private:
  // What holds the gradients of this step.
  std::vector<at::Tensor> lend_gradients() {
    std::vector<at::Tensor> gradients;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      at::Tensor gradient = parameters_[i].grad();
      if (gradient.defined()) {
        gradient = gradient.contiguous();
        const std::string name = "the gradient of parameter " + std::to_string(i);
        checked(gradient, name);
        if (gradient.scalar_type() != parameters_[i].scalar_type())
          throw core::UserError(name + " has another type than the parameter: convert it");
      }
      optimizer_->set_gradient(i, gradient.defined() ? gradient.const_data_ptr() : nullptr);
      gradients.push_back(std::move(gradient));
    }
    return gradients;
  }

  static core::Dtype checked(const at::Tensor& tensor, const std::string& name) {
    if (!tensor.device().is_cpu() || !tensor.is_contiguous())
      throw core::UserError(name + " is not a contiguous CPU tensor: move it to the CPU and make it contiguous");
    if (tensor.scalar_type() == at::kFloat) return core::Dtype::kF32;
    if (tensor.scalar_type() == at::kBFloat16) return core::Dtype::kBF16;
    throw core::UserError(name + " is " + at::toString(tensor.scalar_type()) +
                          ": optimizers work on Float and BFloat16, convert it");
  }

  std::vector<at::Tensor> parameters_;
  std::unique_ptr<optim::Optimizer> optimizer_;
};

}  // namespace qzo::torch_optim
