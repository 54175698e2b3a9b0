#include "quantize/dense_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <ATen/ATen.h>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/kernels/quant_matmul.h"

namespace qzo::quantize {
namespace {

constexpr std::int64_t kRows = 64;

}  // namespace

at::Tensor dense_values(const quant::PackedWeight& weight) {
  quant::ScaleBuffers buffers;
  const kernels::ScaleView scales = quant::effective_scales(weight, {.rounded = true}, buffers).plus;
  const std::int64_t out = weight.codes.out, in = weight.codes.in;
  at::Tensor values = at::empty({out, in}, at::kFloat);
  auto* data = values.data_ptr<float>();
  core::parallel_for((out + kRows - 1) / kRows, [&](std::int64_t piece, int) {
    const std::int64_t first = piece * kRows;
    kernels::dequantize_rows(weight.codes, scales, first, std::min(kRows, out - first), data + first * in);
  });
  const float* bad = std::find_if_not(data, data + out * in, [](float value) { return std::isfinite(value); });
  if (bad == data + out * in) return values;
  throw core::UserError(core::text(weight.name, ": element [", (bad - data) / in, ", ", (bad - data) % in, "] is ",
                                   *bad, ", expected a finite number: the file is damaged"));
}

quant::PackedWeight dense_weight(const std::string& name, const at::Tensor& values) {
  quant::PackedWeight weight;
  weight.name = name;
  weight.format = "dense";
  weight.owned_codes.resize(static_cast<std::size_t>(values.numel()) * sizeof(float));
  std::memcpy(weight.owned_codes.data(), values.const_data_ptr<float>(), weight.owned_codes.size());
  weight.codes = {.layout = kernels::Layout::kDenseF32,
                  .out = values.size(0),
                  .in = values.size(1),
                  .codes = weight.owned_codes.data()};
  return weight;
}

}  // namespace qzo::quantize
