// torch.ops.qzo: the step of AdamW on states that are ordinary tensors, so that torch's state_dict holds them.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include "qzo/core/thread_pool.h"
#include "qzo/optim/adamw.h"
#include "qzo/optim/state_codec.h"

namespace {

using namespace qzo;

struct Codecs {
  const char* name;
  kernels::StateCodec m, v;
};
constexpr Codecs kCodecs[] = {{"32bit", optim::kPlain, optim::kPlain},
                              {"8bit", optim::kSigned8, optim::kUnsigned8},
                              {"4bit_block", optim::kSigned4, optim::kBlockLinear4},
                              {"4bit_rank1", optim::kSigned4, optim::kRank1Linear4}};

const Codecs& codecs(c10::string_view states) {
  for (const Codecs& one : kCodecs)
    if (states == one.name) return one;
  TORCH_CHECK(false, "there are no states \"", states, "\": choose 32bit, 8bit, 4bit_block or 4bit_rank1");
}

core::Dtype dtype_of(const at::Tensor& tensor, const char* what) {
  TORCH_CHECK(tensor.device().is_cpu() && tensor.is_contiguous(), what,
              " is not a contiguous CPU tensor: move or copy it");
  TORCH_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16, what, " is ",
              tensor.scalar_type(), ": optimizers work on float32 and bfloat16, convert it");
  return tensor.scalar_type() == at::kFloat ? core::Dtype::kF32 : core::Dtype::kBF16;
}

// Two tensors hold a state: codes (empty if it is plain) and scales (or the fp32 values).
std::tuple<at::Tensor, at::Tensor> new_state(c10::string_view states, bool second, at::IntArrayRef shape, bool plain) {
  const Codecs& both = codecs(states);
  const auto layout = kernels::state_layout(plain    ? optim::kPlain
                                            : second ? both.v
                                                     : both.m,
                                            {shape.data(), shape.size()});
  return {at::zeros({layout.code_bytes}, at::kByte), at::zeros({layout.scales + layout.values}, at::kFloat)};
}

kernels::StateView view(const kernels::StateCodec& codec, const at::Tensor& parameter, const at::Tensor& codes,
                        const at::Tensor& scales) {
  kernels::StateView state;
  state.codec = codes.numel() == 0 ? optim::kPlain : codec;
  state.shape = {parameter.sizes().data(), parameter.sizes().size()};
  const auto layout = kernels::state_layout(state.codec, state.shape);
  TORCH_CHECK(codes.scalar_type() == at::kByte && codes.is_contiguous() && codes.numel() == layout.code_bytes &&
                  scales.scalar_type() == at::kFloat && scales.is_contiguous() &&
                  scales.numel() == layout.scales + layout.values,
              "a state of a parameter of shape ", parameter.sizes(), " has ", codes.numel(), " codes (",
              codes.scalar_type(), ") and ", scales.numel(), " scales (", scales.scalar_type(), "), expected ",
              layout.code_bytes, " (Byte) and ", layout.scales + layout.values,
              " (Float): it is of another optimizer or was converted");
  state.codes = codes.data_ptr<std::uint8_t>();
  (layout.values > 0 ? state.values : state.scales) = scales.data_ptr<float>();
  return state;
}

void use_the_threads_of_torch() {
  if (core::thread_count() != at::get_num_threads()) core::set_thread_count(at::get_num_threads());
}

bool gradients_finite(at::TensorList gradients) {
  use_the_threads_of_torch();
  std::vector<kernels::ParameterView> views;
  for (const at::Tensor& gradient : gradients) {
    kernels::ParameterView one;
    one.count = gradient.numel();
    one.gradient_dtype = dtype_of(gradient, "a gradient");
    one.gradient = gradient.const_data_ptr();
    views.push_back(one);
  }
  return kernels::gradients_finite(views);
}

void adamw_step(c10::string_view states, at::TensorList parameters, at::TensorList gradients, at::TensorList m_codes,
                at::TensorList m_scales, at::TensorList v_codes, at::TensorList v_scales, at::IntArrayRef steps,
                at::IntArrayRef ids, double lr, double beta1, double beta2, double eps, double weight_decay,
                bool stochastic_weights, int64_t seed, int64_t step) {
  const Codecs& both = codecs(states);
  const std::size_t count = parameters.size();
  for (const std::size_t other :
       {gradients.size(), m_codes.size(), m_scales.size(), v_codes.size(), v_scales.size(), steps.size(), ids.size()})
    TORCH_CHECK(other == count, "lists of ", count, " and ", other, " entries: one for each parameter expected");
  use_the_threads_of_torch();
  const kernels::AdamwRule rule{beta1, beta2, eps};
  std::vector<kernels::AdamwTensor> tensors;
  for (std::size_t i = 0; i < count; ++i) {
    const at::Tensor& parameter = parameters[i];
    TORCH_CHECK(gradients[i].sizes() == parameter.sizes(), "a gradient of shape ", gradients[i].sizes(),
                " for a parameter of shape ", parameter.sizes());
    kernels::AdamwTensor tensor;
    tensor.parameter = {parameter.numel(),
                        dtype_of(parameter, "a parameter"),
                        parameter.data_ptr(),
                        dtype_of(gradients[i], "a gradient"),
                        gradients[i].const_data_ptr(),
                        static_cast<std::uint32_t>(ids[i])};
    tensor.m = view(both.m, parameter, m_codes[i], m_scales[i]);
    tensor.v = view(both.v, parameter, v_codes[i], v_scales[i]);
    const optim::AdamwFactors factors = optim::adamw_factors(rule, lr, weight_decay, steps[i]);
    tensor.decay = factors.decay;
    tensor.step = factors.step;
    tensor.root = factors.root;
    tensors.push_back(tensor);
  }
  kernels::adamw_step(tensors, rule,
                      {stochastic_weights, {static_cast<std::uint64_t>(seed), static_cast<std::uint32_t>(step)}});
}

}  // namespace

TORCH_LIBRARY(qzo, library) {
  library.def("new_state(str states, bool second, int[] shape, bool plain) -> (Tensor, Tensor)", &new_state);
  library.def("gradients_finite(Tensor[] gradients) -> bool");
  library.impl("gradients_finite", c10::DispatchKey::CPU, &gradients_finite);
  library.def(
      "adamw_step(str states, Tensor(a!)[] parameters, Tensor[] gradients, Tensor(b!)[] m_codes, Tensor(c!)[] "
      "m_scales, "
      "Tensor(d!)[] v_codes, Tensor(e!)[] v_scales, int[] steps, int[] ids, float lr, float beta1, float beta2, float "
      "eps, "
      "float weight_decay, bool stochastic_weights, int seed, int step) -> ()");
  library.impl("adamw_step", c10::DispatchKey::CPU, &adamw_step);
}
