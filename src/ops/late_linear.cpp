#include "ops/late_linear.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "qzo/core/thread_pool.h"
#include "qzo/ops/buffers.h"

#include "ops/checks.h"

namespace qzo::ops {
namespace {

constexpr std::int64_t kRowsPerPiece = 16;
// Narrow weights have few pieces; then rows are divided too, as long as a panel serves enough of them. Numbers of the
// problem alone, so that the work is the same for every thread count.
constexpr std::int64_t kEnoughTasks = 16;
constexpr std::int64_t kLeastRows = 128;

std::int64_t rows_of_chunk(const kernels::CodeView& weight, std::int64_t rows) {
  const std::int64_t wanted =
      std::min(ceil_div(kEnoughTasks, kernels::late_pieces(weight)), ceil_div(rows, kLeastRows));
  return ceil_div(rows, wanted);
}

}  // namespace

std::int64_t late_row_chunks(const kernels::CodeView& weight, std::int64_t rows) {
  return ceil_div(rows, rows_of_chunk(weight, rows));
}

const at::Tensor& LinearInput::late_rows(const kernels::CodeView& weight, const kernels::ChunkPlan& chunks,
                                         kernels::LateInputs inputs) const {
  if (weight_ != nullptr && inputs_ == inputs && same_late_rows(*weight_, *chunks_, weight, chunks, inputs))
    return rows_;
  const std::int64_t rows = x_.size(0);
  const std::int64_t row_bytes = kernels::late_row_bytes(weight, chunks, inputs);
  rows_.reset();
  rows_ = byte_buffer(rows * row_bytes);
  auto* target = reinterpret_cast<std::byte*>(rows_.data_ptr<std::uint8_t>());
  core::parallel_for(ceil_div(rows, kRowsPerPiece), [&](std::int64_t piece, int) {
    const std::int64_t first = piece * kRowsPerPiece;
    kernels::late_prepare(weight, chunks, inputs, x_.const_data_ptr<float>() + first * weight.in, weight.in,
                          std::min(kRowsPerPiece, rows - first), target + first * row_bytes);
  });
  weight_ = &weight;
  chunks_ = &chunks;
  inputs_ = inputs;
  return rows_;
}

at::Tensor late_linear(const LinearInput& input, const kernels::CodeView& weight, const kernels::ChunkPlan& plan,
                       const kernels::ScaleView& plus, const kernels::ScaleView& minus, std::int64_t split,
                       std::span<const float> bias, kernels::LateInputs inputs) {
  const std::int64_t rows = input.x().size(0);
  at::Tensor y = buffer(rows, weight.out);
  if (rows == 0) return y;
  const auto* prepared_rows =
      reinterpret_cast<const std::byte*>(input.late_rows(weight, plan, inputs).const_data_ptr<std::uint8_t>());
  const std::int64_t row_bytes = kernels::late_row_bytes(weight, plan, inputs);

  const std::int64_t pieces = kernels::late_pieces(weight);
  const std::int64_t chunk = rows_of_chunk(weight, rows);
  const std::int64_t row_chunks = ceil_div(rows, chunk);
  const auto scratch_bytes = static_cast<std::int64_t>(kernels::late_scratch_bytes());
  const at::Tensor scratch = byte_buffer(core::thread_count() * scratch_bytes);
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
