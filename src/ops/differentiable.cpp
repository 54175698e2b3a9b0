#include "qzo/ops/differentiable.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "qzo/core/thread_pool.h"
#include "qzo/ops/linear.h"

#include "ops/checks.h"

namespace qzo::ops {
namespace {

constexpr std::int64_t kPanelRows = 1024;  // of W at a time: 4 MiB of a weight with 1,024 inputs
constexpr std::int64_t kTile = 32;

// a [M, K], b [N, K] -> a b^T [M, N]. Not of the pool of buffers by itself: autograd marks what it returns.
at::Tensor product(const at::Tensor& a, const kernels::CodeView& b, const kernels::ScaleView& scales = {}) {
  return quant_linear(a, b, scales, scales, a.size(0), {}, Precision::kFp32).variable_data();
}

kernels::CodeView dense(const at::Tensor& matrix) {
  check_dense(matrix, "matrix");
  return {.layout = kernels::Layout::kDenseF32,
          .out = matrix.size(0),
          .in = matrix.size(1),
          .codes = reinterpret_cast<const std::byte*>(matrix.const_data_ptr<float>())};
}

at::Tensor input_gradient(const at::Tensor& dy, const GradientWeight& weight) {
  at::Tensor dx;
  for (std::int64_t first = 0; first < weight.codes.out; first += kPanelRows) {
    const std::int64_t count = std::min(kPanelRows, weight.codes.out - first);
    std::vector<std::int32_t> rows(static_cast<std::size_t>(count));
    std::iota(rows.begin(), rows.end(), static_cast<std::int32_t>(first));
    const at::Tensor panel = transposed(dequantized_rows(weight.codes, weight.scales, rows));
    const at::Tensor part = product(dy.narrow(1, first, count).contiguous(), dense(panel));
    dx = dx.defined() ? dx.add_(part) : part;
  }
  return dx;
}

class LinearBackward final : public torch::autograd::Node {
 public:
  LinearBackward(torch::autograd::edge_list edges, at::Tensor x, GradientWeight weight)
      : Node(std::move(edges)), x_(std::move(x)), weight_(std::move(weight)) {}

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    const at::NoGradGuard guard;
    QZO_CHECK(gradients.size() == 1 && gradients[0].defined() && x_.defined(), "a product without a gradient");
    const at::Tensor dy = gradients[0].contiguous();
    if (weight_.gradient.defined()) {
      const at::Tensor inputs = transposed(x_);
      weight_.gradient.add_(product(transposed(dy), dense(inputs)));
    }
    return {input_gradient(dy, weight_)};
  }
  void release_variables() override { x_.reset(); }
  [[nodiscard]] std::string name() const override { return "QzoLinearBackward"; }

 private:
  at::Tensor x_;
  GradientWeight weight_;
};

}  // namespace

at::Tensor transposed(const at::Tensor& x) {
  check_dense(x, "x");
  QZO_CHECK(x.dim() == 2, "x is ", x.sizes());
  const std::int64_t rows = x.size(0), columns = x.size(1);
  at::Tensor out = at::empty({columns, rows}, at::kFloat);
  const float* from = x.const_data_ptr<float>();
  auto* to = out.data_ptr<float>();
  core::parallel_for(ceil_div(columns, kTile), [&](std::int64_t piece, int) {
    const std::int64_t first = piece * kTile, last = std::min(columns, first + kTile);
    for (std::int64_t row = 0; row < rows; row += kTile) {
      const std::int64_t end = std::min(rows, row + kTile);
      for (std::int64_t c = first; c < last; ++c) {
        for (std::int64_t r = row; r < end; ++r) to[c * rows + r] = from[r * columns + c];
      }
    }
  });
  return out;
}

at::Tensor differentiable_linear(const at::Tensor& x, const GradientWeight& weight) {
  const at::Tensor plain = x.detach().contiguous();
  if (weight.gradient.defined()) {
    check_matrix(weight.gradient, "gradient", weight.codes.in);
    QZO_CHECK(weight.gradient.size(0) == weight.codes.out, "gradient is ", weight.gradient.sizes());
  }
  at::Tensor y = product(plain, weight.codes, weight.scales);
  if (!at::GradMode::is_enabled() || !x.requires_grad()) return y;
  auto node = std::shared_ptr<LinearBackward>(new LinearBackward(torch::autograd::collect_next_edges(x), plain, weight),
                                              torch::autograd::deleteNode);
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace qzo::ops
