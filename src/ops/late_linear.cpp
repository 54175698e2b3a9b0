#include "ops/late_linear.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "qzo/core/thread_pool.h"

#include "ops/checks.h"

namespace qzo::ops {
namespace {

constexpr std::int64_t kRowsPerPiece = 16;
// Narrow weights have few pieces; then rows are divided too, as long as a panel serves enough of them. Numbers of the
// problem alone, so that the work is the same for every thread count.
constexpr std::int64_t kEnoughTasks = 16;
constexpr std::int64_t kLeastRows = 128;

}  // namespace

at::Tensor late_linear(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ChunkPlan& plan,
                       const kernels::ScaleView& plus, const kernels::ScaleView& minus, std::int64_t split,
                       std::span<const float> bias, kernels::LateInputs inputs) {
  const std::int64_t rows = x.size(0);
  at::Tensor y = at::empty({rows, weight.out}, x.options());
  if (rows == 0) return y;
  const std::int64_t row_bytes = kernels::late_row_bytes(weight, plan, inputs);
  const at::Tensor prepared = at::empty({rows, row_bytes}, at::kByte);  // LibTorch aligns to 64
  auto* prepared_rows = reinterpret_cast<std::byte*>(prepared.data_ptr<std::uint8_t>());
  core::parallel_for(ceil_div(rows, kRowsPerPiece), [&](std::int64_t piece, int) {
    const std::int64_t first = piece * kRowsPerPiece;
    kernels::late_prepare(weight, plan, inputs, x.const_data_ptr<float>() + first * weight.in, weight.in,
                          std::min(kRowsPerPiece, rows - first), prepared_rows + first * row_bytes);
  });

  const std::int64_t pieces = kernels::late_pieces(weight);
  const std::int64_t wanted = std::min(ceil_div(kEnoughTasks, pieces), ceil_div(rows, kLeastRows));
  const std::int64_t chunk = ceil_div(rows, wanted);
  const std::int64_t row_chunks = ceil_div(rows, chunk);
  const auto scratch_bytes = static_cast<std::int64_t>(kernels::late_scratch_bytes());
  const at::Tensor scratch = at::empty({core::thread_count(), scratch_bytes}, at::kByte);
  core::parallel_for(pieces * row_chunks, [&](std::int64_t task, int worker) {
    const std::int64_t begin = task % row_chunks * chunk;
    const std::int64_t count = std::min(chunk, rows - begin);
    const kernels::LateProblem problem{.weight = weight,
                                       .plan = plan,
                                       .inputs = inputs,
                                       .plus = plus,
                                       .minus = minus,
                                       .x = prepared_rows + begin * row_bytes,
                                       .rows = count,
                                       .split = std::clamp(split - begin, std::int64_t{0}, count),
                                       .bias = bias.empty() ? nullptr : bias.data(),
                                       .y = y.data_ptr<float>() + begin * weight.out,
                                       .ldy = weight.out};
    kernels::late_matmul_piece(problem, task / row_chunks, scratch.data_ptr<std::uint8_t>() + worker * scratch_bytes);
  });
  return y;
}

}  // namespace qzo::ops
