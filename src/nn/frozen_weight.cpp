#include "qzo/nn/frozen_weight.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/profile.h"
#include "qzo/core/thread_pool.h"
#include "qzo/kernels/transformer.h"
#include "qzo/ops/linear.h"
#include "qzo/ops/transformer.h"

namespace qzo::nn {
namespace {

constexpr std::int64_t kLogitsAtOnce = std::int64_t{4} << 20;
constexpr std::int64_t kLeastRows = 16;  // fewer would unpack the head more often than it multiplies with it

at::Tensor multiply(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ScaleView& scales) {
  return ops::quant_linear(x, weight, scales, scales, x.size(0), {}, ops::Precision::kFp32);
}

at::Tensor capped(at::Tensor logits, float cap) {
  if (cap > 0) ops::soft_cap_(logits, cap);
  return logits;
}

}  // namespace

// Rounded scales keep a minimum exactly as the file has it; without a minimum the masters are the file's values.
FrozenWeight::FrozenWeight(const quant::PackedWeight& weight)
    : weight_(weight), scales_(quant::effective_scales(weight, {.rounded = !weight.minimum.empty()}, buffers_).plus) {}

at::Tensor apply(const FrozenWeight& weight, const at::Tensor& x) {
  const core::ProfileScope profile(core::Part::kMatmul);
  return multiply(x, weight.codes(), weight.scales());
}

at::Tensor logits(const FrozenWeight& head, const at::Tensor& hidden, float cap) {
  const core::ProfileScope profile(core::Part::kHead);
  return capped(multiply(hidden, head.codes(), head.scales()), cap);
}

at::Tensor token_logits(const FrozenWeight& head, const at::Tensor& hidden, std::span<const std::int32_t> tokens,
                        float cap) {
  const core::ProfileScope profile(core::Part::kHead);
  const at::Tensor rows = ops::dequantized_rows(head.codes(), head.scales(), tokens);
  const kernels::CodeView dense{.layout = kernels::Layout::kDenseF32,
                                .out = rows.size(0),
                                .in = rows.size(1),
                                .codes = reinterpret_cast<const std::byte*>(rows.const_data_ptr<float>())};
  return capped(multiply(hidden, dense, {}), cap);
}

std::vector<float> log_probabilities(const FrozenWeight& head, const at::Tensor& hidden,
                                     std::span<const std::int32_t> targets, float cap) {
  const core::ProfileScope profile(core::Part::kHead);
  const std::int64_t rows = hidden.size(0);
  const std::int64_t tokens = head.rows();
  QZO_CHECK(rows == static_cast<std::int64_t>(targets.size()), rows, " rows for ", targets.size(), " targets");
  for (const std::int32_t target : targets) QZO_CHECK(target >= 0 && target < tokens, "token ", target, " of ", tokens);
  std::vector<float> result(targets.size());
  const std::int64_t chunk = std::max(kLeastRows, kLogitsAtOnce / tokens);
  for (std::int64_t first = 0; first < rows; first += chunk) {
    const std::int64_t count = std::min(chunk, rows - first);
    const at::Tensor scores = logits(head, hidden.narrow(0, first, count), cap);
    const float* data = scores.const_data_ptr<float>();
    core::parallel_for(count, [&](std::int64_t row, int) {
      const float* row_scores = data + row * tokens;
      const auto at = static_cast<std::size_t>(first + row);
      result[at] = row_scores[targets[at]] - kernels::log_sum_exp(row_scores, tokens);
    });
  }
  return result;
}

}  // namespace qzo::nn
