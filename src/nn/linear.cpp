#include "qzo/nn/linear.h"

#include "qzo/core/check.h"
#include "qzo/core/profile.h"
#include "qzo/ops/transformer.h"

namespace qzo::nn {
namespace {

at::Tensor added(const Adapter& adapter, const at::Tensor& x) {
  const auto product = [](const at::Tensor& rows, const kernels::CodeView& weight) {
    return ops::quant_linear(rows, weight, {}, {}, rows.size(0), {}, ops::Precision::kFp32);
  };
  at::Tensor out = product(product(x, adapter.a), adapter.b);
  ops::scale_(out, adapter.scale);
  return out;
}

}  // namespace

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
  at::Tensor y =
      ops::quant_linear(x, codes, scales.plus, scales.minus, split, layer.bias, walk.precision, layer.weight.chunks);
  if (layer.adapter) ops::add_(y, added(*layer.adapter, x.x()));
  return y;
}

}  // namespace qzo::nn
