#include "qzo/nn/linear.h"

#include "qzo/core/check.h"
#include "qzo/core/profile.h"

namespace qzo::nn {

at::Tensor apply(const Linear& layer, const ops::LinearInput& x, const Walk& walk) {
  const std::int64_t rows = x.x().size(0);
  QZO_CHECK(rows % walk.signs == 0, rows, " rows for ", walk.signs, " signs");
  const quant::EffectiveScales scales = [&] {
    const core::ProfileScope profile(core::Part::kNoise);
    return quant::effective_scales(layer.weight, walk.scales, walk.buffers);
  }();
  const std::int64_t split = walk.signs == 2 ? rows / 2 : rows;
  const core::ProfileScope profile(core::Part::kMatmul);
  const kernels::CodeView& codes = layer.weight.codes;
  core::count_operations(2.0 * static_cast<double>(rows) * static_cast<double>(codes.out) *
                         static_cast<double>(codes.in));
  return ops::quant_linear(x, codes, scales.plus, scales.minus, split, layer.bias, walk.precision, layer.weight.chunks);
}

}  // namespace qzo::nn
