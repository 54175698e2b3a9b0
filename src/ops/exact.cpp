#include "qzo/ops/exact.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "qzo/core/thread_pool.h"
#include "qzo/kernels/quant_matmul.h"

#include "ops/checks.h"

namespace qzo::ops {
namespace {

constexpr std::int64_t kPanelRows = 64;

// With scales of 1 and offsets of 0 the kernels' dequantization gives the codes themselves, which fp32 holds.
class Codes {
 public:
  explicit Codes(const kernels::CodeView& weight)
      : weight_(weight),
        ones_(static_cast<std::size_t>(kernels::scale_count(weight)), 1.0F),
        zeros_(kernels::has_offsets(weight.layout) ? ones_.size() : 0) {}

  // Row n of W to out[in].
  void exact_row(const kernels::ScaleView& scale, std::int64_t n, float* codes, double* out) const {
    kernels::dequantize_rows(weight_, {.scales = ones_.data(), .offsets = zeros_.data()}, n, 1, codes);
    for (std::int64_t k = 0; k < weight_.in; ++k) {
      const std::int64_t i = kernels::scale_index(weight_, n, k);
      const double s = ones_.empty() ? 1 : static_cast<double>(scale.scales[i]);
      out[k] = s * static_cast<double>(codes[k]) + (zeros_.empty() ? 0 : static_cast<double>(scale.offsets[i]));
    }
  }

 private:
  const kernels::CodeView& weight_;
  std::vector<float> ones_, zeros_;
};

}  // namespace

at::Tensor exact_rows(const kernels::CodeView& weight, const kernels::ScaleView& scale,
                      std::span<const std::int32_t> ids) {
  const Codes all(weight);
  at::Tensor rows = at::empty({static_cast<std::int64_t>(ids.size()), weight.in}, at::kDouble);
  std::vector<float> codes(static_cast<std::size_t>(weight.in));
  auto* out = rows.data_ptr<double>();
  for (const std::int32_t id : ids) {
    QZO_CHECK(id >= 0 && id < weight.out, "row ", id, " of ", weight.out);
    all.exact_row(scale, id, codes.data(), out);
    out += weight.in;
  }
  return rows;
}

at::Tensor exact_linear(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ScaleView& scale) {
  QZO_CHECK(x.scalar_type() == at::kDouble && x.dim() == 2 && x.size(1) == weight.in, "x is ", x.scalar_type(), " ",
            x.sizes(), ", expected double [rows, ", weight.in, "]");
  const Codes all(weight);
  at::Tensor y = at::empty({x.size(0), weight.out}, at::kDouble);
  core::parallel_for(ceil_div(weight.out, kPanelRows), [&](std::int64_t piece, int) {
    const std::int64_t first = piece * kPanelRows, count = std::min(kPanelRows, weight.out - first);
    const at::Tensor panel = at::empty({count, weight.in}, at::kDouble);
    std::vector<float> codes(static_cast<std::size_t>(weight.in));
    for (std::int64_t n = 0; n < count; ++n)
      all.exact_row(scale, first + n, codes.data(), panel.data_ptr<double>() + n * weight.in);
    y.narrow(1, first, count).copy_(at::mm(x, panel.t()));
  });
  return y;
}

}  // namespace qzo::ops
