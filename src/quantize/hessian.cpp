#include "qzo/quantize/hessian.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/thread_pool.h"

namespace qzo::quantize {
namespace {

constexpr std::int64_t kPanel = 192;

}  // namespace

Hessian::Hessian(std::int64_t inputs) : sum_(at::zeros({inputs, inputs}, at::kFloat)) {}

// Half of a symmetric matrix is enough: each panel of rows from its diagonal on.
void Hessian::add(const at::Tensor& x, double weight) {
  const std::int64_t inputs = sum_.size(0);
  QZO_CHECK(weight > 0, weight);
  QZO_CHECK(x.dim() == 2 && x.size(1) == inputs && x.scalar_type() == at::kFloat, x.sizes());
  core::parallel_for((inputs + kPanel - 1) / kPanel, [&](std::int64_t piece, int) {
    const std::int64_t begin = piece * kPanel, width = std::min(kPanel, inputs - begin);
    at::Tensor panel = sum_.narrow(0, begin, width).narrow(1, begin, inputs - begin);
    panel.addmm_(x.narrow(1, begin, width).t(), x.narrow(1, begin, inputs - begin), 1, weight);
  });
  rows_ += weight * static_cast<double>(x.size(0));
}

at::Tensor Hessian::mean() && {
  QZO_CHECK(rows_ > 0, "no inputs were seen");
  const std::int64_t inputs = sum_.size(0);
  for (std::int64_t begin = 0; begin < inputs; begin += kPanel) {
    const std::int64_t end = std::min(begin + kPanel, inputs);
    const at::Tensor right = sum_.narrow(0, begin, end - begin).narrow(1, begin, inputs - begin);
    // The two triangles of a square on the diagonal differ by rounding.
    at::Tensor square = right.narrow(1, 0, end - begin);
    square.copy_(square.triu() + square.triu(1).t());
    sum_.narrow(0, end, inputs - end)
        .narrow(1, begin, end - begin)
        .copy_(right.narrow(1, end - begin, inputs - end).t());
  }
  return std::move(sum_).div_(rows_);
}

}  // namespace qzo::quantize
