#include "qzo/nn/norm.h"

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/ops/transformer.h"

namespace qzo::nn {

at::Tensor apply(const Norm& norm, const at::Tensor& x) {
  const auto width = static_cast<std::int64_t>(norm.weight.size());
  QZO_CHECK(width > 0 && x.numel() % width == 0, x.sizes(), " in stretches of ", width);
  const at::Tensor rows = x.view({-1, width});
  const at::Tensor out = norm.kind == NormKind::kRms ? ops::rms_norm(rows, norm.weight, norm.eps)
                                                     : ops::layer_norm(rows, norm.weight, norm.bias, norm.eps);
  return out.view(x.sizes());
}

}  // namespace qzo::nn
