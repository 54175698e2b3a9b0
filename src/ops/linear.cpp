#include "qzo/ops/linear.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "qzo/core/thread_pool.h"
#include "qzo/kernels/quant_matmul.h"
#include "qzo/ops/buffers.h"

#include "ops/checks.h"
#include "ops/late_linear.h"

namespace qzo::ops {
namespace {

// Rows that share one unpacking of a piece; more rows make further tasks, so that narrow weights keep all threads busy.
constexpr std::int64_t kRowChunk = 512;
constexpr std::int64_t kIdsPerPiece = 16;

void check_scales(const kernels::CodeView& weight, const kernels::ScaleView& scale, const char* sign) {
  const bool dense = weight.layout <= kernels::Layout::kDenseBF16;
  QZO_CHECK(dense || scale.scales != nullptr, "no ", sign, " scales");
  QZO_CHECK(!kernels::has_offsets(weight.layout) || scale.offsets != nullptr, "no ", sign, " offsets");
}

void check_weight(const kernels::CodeView& weight) {
  using kernels::Layout;
  QZO_CHECK(weight.codes != nullptr && weight.out > 0 && weight.in > 0, "weight is [", weight.out, ", ", weight.in,
            "]");
  if (kernels::has_float_codes(weight.layout)) {
    QZO_CHECK(weight.in % 8 == 0 && weight.group > 0 && weight.in % weight.group == 0, "in ", weight.in, " group ",
              weight.group);
  } else if (weight.layout >= Layout::kQ4_K) {
    QZO_CHECK(weight.in % 256 == 0, "in ", weight.in, " is not made of blocks of 256");
  } else if (weight.layout == Layout::kGptq4) {
    QZO_CHECK(weight.in % 8 == 0 && weight.group > 0, "in ", weight.in, " group ", weight.group);
  } else if (weight.layout > Layout::kGptq4 && weight.layout < Layout::kQ4_0) {
    QZO_CHECK(weight.in % 4 == 0 && weight.group > 0, "in ", weight.in, " group ", weight.group);
  } else if (weight.layout >= Layout::kQ4_0) {
    QZO_CHECK(weight.in % 32 == 0, "in ", weight.in, " is not made of blocks of 32");
  }
}

// Nothing: the product is one of kFp32.
std::optional<kernels::LateInputs> inputs_for(const kernels::CodeView& weight, Precision precision) {
  const std::optional<kernels::LateInputs> inputs = late_inputs(precision);
  return inputs && kernels::scale_late_supported(weight, *inputs) ? inputs : std::nullopt;
}

at::Tensor fp32_linear(const at::Tensor& x, const kernels::CodeView& weight, const kernels::ScaleView& plus,
                       const kernels::ScaleView& minus, std::int64_t split, std::span<const float> bias) {
  const std::int64_t rows = x.size(0);
  at::Tensor y = buffer(rows, weight.out);
  const auto bytes = static_cast<std::int64_t>(kernels::matmul_scratch_bytes(weight));
  const at::Tensor scratch = byte_buffer(core::thread_count() * bytes);
  const std::int64_t row_chunks = ceil_div(rows, kRowChunk);
  core::parallel_for(kernels::matmul_pieces(weight) * row_chunks, [&](std::int64_t task, int worker) {
    const std::int64_t begin = task % row_chunks * kRowChunk;
    const std::int64_t count = std::min(kRowChunk, rows - begin);
    const kernels::MatmulProblem problem{.weight = weight,
                                         .plus = plus,
                                         .minus = minus,
                                         .x = x.const_data_ptr<float>() + begin * weight.in,
                                         .ldx = weight.in,
                                         .rows = count,
                                         .split = std::clamp(split - begin, std::int64_t{0}, count),
                                         .bias = bias.empty() ? nullptr : bias.data(),
                                         .y = y.data_ptr<float>() + begin * weight.out,
                                         .ldy = weight.out};
    kernels::quant_matmul_piece(problem, task / row_chunks, scratch.data_ptr<std::uint8_t>() + worker * bytes);
  });
  return y;
}

}  // namespace

at::Tensor quant_linear(const LinearInput& input, const kernels::CodeView& weight, const kernels::ScaleView& plus,
                        const kernels::ScaleView& minus, std::int64_t split, std::span<const float> bias,
                        Precision precision, const kernels::ChunkPlan& chunks) {
  const at::Tensor& x = input.x();
  check_weight(weight);
  check_matrix(x, "x", weight.in);
  const std::int64_t rows = x.size(0);
  QZO_CHECK(split >= 0 && split <= rows, "split ", split, " of ", rows, " rows");
  if (split > 0) check_scales(weight, plus, "plus");
  if (split < rows) check_scales(weight, minus, "minus");
  QZO_CHECK(bias.empty() || static_cast<std::int64_t>(bias.size()) == weight.out, "bias has ", bias.size(),
            " values for ", weight.out, " outputs");
  const std::optional<kernels::LateInputs> inputs = inputs_for(weight, precision);
  if (!inputs) return fp32_linear(x, weight, plus, minus, split, bias);
  QZO_CHECK(chunks.depth >= weight.in, "chunks of ", chunks.depth, " inputs for a weight of ", weight.in);
  return late_linear(input, weight, chunks, plus, minus, split, bias, *inputs);
}

std::int64_t unpackings(const kernels::CodeView& weight, std::int64_t rows, Precision precision) {
  return inputs_for(weight, precision) ? late_row_chunks(weight, rows) : ceil_div(rows, kRowChunk);
}

at::Tensor dequantized_rows(const kernels::CodeView& weight, const kernels::ScaleView& scale,
                            std::span<const std::int32_t> ids) {
  check_weight(weight);
  check_scales(weight, scale, "plus");
  for (const std::int32_t id : ids) QZO_CHECK(id >= 0 && id < weight.out, "row ", id, " of ", weight.out);
  const auto count = static_cast<std::int64_t>(ids.size());
  at::Tensor rows = buffer(count, weight.in);
  core::parallel_for(ceil_div(count, kIdsPerPiece), [&](std::int64_t piece, int) {
    const std::int64_t end = std::min(count, (piece + 1) * kIdsPerPiece);
    for (std::int64_t i = piece * kIdsPerPiece; i < end; ++i)
      kernels::dequantize_rows(weight, scale, ids[static_cast<std::size_t>(i)], 1,
                               rows.data_ptr<float>() + i * weight.in);
  });
  return rows;
}

}  // namespace qzo::ops
