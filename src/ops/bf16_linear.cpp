#include "ops/bf16_linear.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "qzo/core/thread_pool.h"
#include "qzo/kernels/quant_matmul.h"

#include "ops/checks.h"

namespace qzo::ops {
namespace {

// Outputs whose weights are dense at a time (128 x 4096 in bf16: 1 MiB). Fixed, so that results do not depend on
// threads.
constexpr std::int64_t kChunk = 128;

}  // namespace

at::Tensor bf16_linear(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ScaleView& plus,
                       const kernels::ScaleView& minus, std::int64_t split, std::span<const float> bias) {
  const std::int64_t rows = x.size(0);
  const at::Tensor x16 = x.to(at::kBFloat16);
  at::Tensor y = at::empty({rows, weight.out}, x.options());
  core::parallel_for(ceil_div(weight.out, kChunk), [&](std::int64_t chunk, int) {
    const c10::NoGradGuard no_grad;
    const std::int64_t first = chunk * kChunk;
    const std::int64_t count = std::min(kChunk, weight.out - first);
    const at::Tensor dense = at::empty({count, weight.in}, x.options());
    at::Tensor columns = y.narrow(1, first, count);
    const auto multiply = [&](const kernels::ScaleView& scale, std::int64_t begin, std::int64_t end) {
      if (begin == end) return;
      kernels::dequantize_rows(weight, scale, first, count, dense.data_ptr<float>());
      const at::Tensor product = at::linear(x16.narrow(0, begin, end - begin), dense.to(at::kBFloat16));
      columns.narrow(0, begin, end - begin).copy_(product);
    };
    multiply(plus, 0, split);
    multiply(minus, split, rows);
    if (!bias.empty())
      for (std::int64_t row = 0; row < rows; ++row) {
        float* target = y.data_ptr<float>() + row * weight.out;
        for (std::int64_t n = first; n < first + count; ++n) target[n] += bias[static_cast<std::size_t>(n)];
      }
  });
  return y;
}

}  // namespace qzo::ops
