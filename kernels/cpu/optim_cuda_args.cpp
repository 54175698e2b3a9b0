// The host's half of the CUDA optimizers: what a launch is given. Compiled without CUDA too, for the emulation.

#include <algorithm>

#include "qzo/core/check.h"

#include "cpu/optim_adamw.h"
#include "cpu/optim_nibbles.h"
#include "cpu/optim_rank1.h"
#include "cuda/optim_adamw_args.h"

namespace qzo::kernels::cuda {
namespace {

Table table_of(const StateCodec& codec) {
  Table table;
  std::ranges::copy(state_table(codec.table, codec.bits), table.values);
  std::ranges::copy(state_midpoints(codec.table, codec.bits), table.midpoints);
  return table;
}

}  // namespace

bool supports_adamw(const AdamwTensor& tensor) {
  return tensor.parameter.dtype == core::Dtype::kF32 && tensor.parameter.gradient_dtype == core::Dtype::kF32 &&
         has_signed_nibbles(tensor.m) && has_linear_nibbles(tensor.v) &&
         (!is_rank1(tensor.v) || tensor.v.shape.size() <= kMostAxes);
}

std::int64_t adamw_scratch(std::span<const AdamwTensor> tensors) {
  std::int64_t floats = 0;
  for (const AdamwTensor& tensor : tensors)
    if (is_rank1(tensor.v)) floats += state_layout(tensor.v.codec, tensor.v.shape).scales;
  return floats;
}

AdamwArgs adamw_args(const AdamwTensor& tensor, const AdamwRule& rule, float* raised) {
  QZO_CHECK(supports_adamw(tensor), "a tensor of ", tensor.parameter.count,
            " elements has states or types that the CUDA kernels do not take");
  const AdamwChunk constants = adamw_constants(rule, tensor.decay, tensor.step, tensor.root);
  AdamwArgs args;
  args.count = tensor.parameter.count;
  args.theta = static_cast<float*>(tensor.parameter.values);
  args.g = static_cast<const float*>(tensor.parameter.gradient);
  args.m_codes = tensor.m.codes;
  args.m_scales = tensor.m.scales;
  args.v_codes = tensor.v.codes;
  args.v_scales = tensor.v.scales;
  if (is_rank1(tensor.v)) {
    args.raised = raised;
    args.axes = static_cast<int>(tensor.v.shape.size());
    std::ranges::copy(tensor.v.shape, args.shape);
  }
  args.beta1 = constants.beta1;
  args.rest1 = constants.rest1;
  args.beta2 = constants.beta2;
  args.rest2 = constants.rest2;
  args.decay = constants.decay;
  args.step = constants.step;
  args.root = constants.root;
  args.eps = constants.eps;
  args.m = table_of(tensor.m.codec);
  args.v = table_of(tensor.v.codec);
  return args;
}

}  // namespace qzo::kernels::cuda
