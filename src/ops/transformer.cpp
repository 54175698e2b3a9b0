#include "qzo/ops/transformer.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>

#include "qzo/core/profile.h"
#include "qzo/core/thread_pool.h"
#include "qzo/ops/buffers.h"

#include "ops/checks.h"

namespace qzo::ops {
namespace {

constexpr std::int64_t kRowsPerPiece = 32;
constexpr std::int64_t kQueriesPerPiece = 8;
constexpr std::int64_t kElementsPerPiece = 1 << 15;

// body(first, count) over [0, total) in pieces of `size`.
template <class Body>
void for_pieces(std::int64_t total, std::int64_t size, const Body& body) {
  core::parallel_for(ceil_div(total, size),
                     [&](std::int64_t piece, int) { body(piece * size, std::min(size, total - piece * size)); });
}

void check_same_shape(const at::Tensor& a, const at::Tensor& b) {
  check_dense(a, "first operand");
  check_dense(b, "second operand");
  QZO_CHECK(a.sizes() == b.sizes(), a.sizes(), " and ", b.sizes());
}

// body(first element, count) over pieces of x.
template <class Body>
void in_place(at::Tensor& x, const Body& body) {
  const core::ProfileScope profile(core::Part::kElementwise);
  check_dense(x, "x");
  auto* data = x.data_ptr<float>();
  for_pieces(x.numel(), kElementsPerPiece, [&](std::int64_t first, std::int64_t count) { body(data + first, count); });
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, std::span<const float> weight, float eps) {
  const core::ProfileScope profile(core::Part::kElementwise);
  const auto width = static_cast<std::int64_t>(weight.size());
  check_matrix(x, "x", width);
  at::Tensor out = buffer(x.size(0), width);
  const float* source = x.const_data_ptr<float>();
  auto* target = out.data_ptr<float>();
  for_pieces(x.size(0), kRowsPerPiece, [&](std::int64_t first, std::int64_t count) {
    kernels::rms_norm(source + first * width, weight.data(), eps, count, width, target + first * width);
  });
  return out;
}

at::Tensor layer_norm(const at::Tensor& x, std::span<const float> weight, std::span<const float> bias, float eps) {
  const core::ProfileScope profile(core::Part::kElementwise);
  const auto width = static_cast<std::int64_t>(weight.size());
  check_matrix(x, "x", width);
  QZO_CHECK(bias.empty() || bias.size() == weight.size(), bias.size(), " biases for rows of ", width);
  at::Tensor out = buffer(x.size(0), width);
  const float* source = x.const_data_ptr<float>();
  auto* target = out.data_ptr<float>();
  for_pieces(x.size(0), kRowsPerPiece, [&](std::int64_t first, std::int64_t count) {
    kernels::layer_norm(source + first * width, weight.data(), bias.empty() ? nullptr : bias.data(), eps, count, width,
                        target + first * width);
  });
  return out;
}

void rope_(at::Tensor& x, std::int64_t heads, std::int64_t head_dim, std::span<const std::int32_t> positions,
           const RopeTable& table, kernels::RopePairing pairing) {
  const core::ProfileScope profile(core::Part::kElementwise);
  const std::int64_t width = heads * head_dim;
  check_matrix(x, "x", width);
  const auto tokens = static_cast<std::int64_t>(positions.size());
  QZO_CHECK(tokens > 0 && x.size(0) % tokens == 0, x.size(0), " rows for ", tokens, " positions");
  QZO_CHECK(table.half_dim * 2 <= head_dim, "table for heads of ", table.half_dim * 2, ", not ", head_dim);
  for (const std::int32_t p : positions)
    QZO_CHECK(p >= 0 && p < table.positions, "position ", p, " of ", table.positions);
  auto* data = x.data_ptr<float>();
  for_pieces(x.size(0), kRowsPerPiece, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t row = first; row < first + count; ++row)
      kernels::rope(data + row * width, width, 1, heads, head_dim, table.half_dim, positions.data() + row % tokens,
                    table.cosine.data(), table.sine.data(), pairing);
  });
}

void activate_(kernels::Activation f, at::Tensor& x) {
  in_place(x, [f](float* data, std::int64_t count) { kernels::activate(f, data, nullptr, count); });
}

void gate_(kernels::Activation f, at::Tensor& gate, const at::Tensor& up) {
  const core::ProfileScope profile(core::Part::kElementwise);
  check_same_shape(gate, up);
  auto* target = gate.data_ptr<float>();
  const float* source = up.const_data_ptr<float>();
  for_pieces(gate.numel(), kElementsPerPiece, [&](std::int64_t first, std::int64_t count) {
    kernels::activate(f, target + first, source + first, count);
  });
}

void scale_(at::Tensor& x, float factor) {
  in_place(x, [factor](float* data, std::int64_t count) { kernels::scale(data, factor, count); });
}

void soft_cap_(at::Tensor& x, float cap) {
  QZO_CHECK(cap > 0, "cap ", cap);
  in_place(x, [cap](float* data, std::int64_t count) { kernels::soft_cap(data, cap, count); });
}

std::vector<at::Tensor> split_columns(const at::Tensor& x, std::span<const std::int64_t> widths) {
  const core::ProfileScope profile(core::Part::kElementwise);
  const std::int64_t width = std::accumulate(widths.begin(), widths.end(), std::int64_t{0});
  check_matrix(x, "x", width);
  const std::int64_t rows = x.size(0);
  std::vector<at::Tensor> parts;
  std::int64_t column = 0;
  for (const std::int64_t part : widths) {
    at::Tensor out = buffer(rows, part);
    const float* source = x.const_data_ptr<float>() + column;
    auto* target = out.data_ptr<float>();
    for_pieces(rows, kRowsPerPiece, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t row = first; row < first + count; ++row)
        std::copy_n(source + row * width, part, target + row * part);
    });
    parts.push_back(std::move(out));
    column += part;
  }
  return parts;
}

void add_(at::Tensor& a, const at::Tensor& b) {
  const core::ProfileScope profile(core::Part::kElementwise);
  check_same_shape(a, b);
  auto* target = a.data_ptr<float>();
  const float* source = b.const_data_ptr<float>();
  for_pieces(a.numel(), kElementsPerPiece,
             [&](std::int64_t first, std::int64_t count) { kernels::add(target + first, source + first, count); });
}

at::Tensor select_rows(const at::Tensor& x, std::span<const std::int64_t> rows) {
  const core::ProfileScope profile(core::Part::kElementwise);
  check_dense(x, "x");
  QZO_CHECK(x.dim() == 2, "x is ", x.sizes());
  const std::int64_t width = x.size(1);
  at::Tensor out = buffer(static_cast<std::int64_t>(rows.size()), width);
  auto* target = out.data_ptr<float>();
  for (const std::int64_t row : rows) {
    QZO_CHECK(row >= 0 && row < x.size(0), "row ", row, " of ", x.size(0));
    target = std::copy_n(x.const_data_ptr<float>() + row * width, width, target);
  }
  return out;
}

at::Tensor for_both_signs(const at::Tensor& x) {
  const core::ProfileScope profile(core::Part::kElementwise);
  check_dense(x, "x");
  QZO_CHECK(x.dim() == 2, "x is ", x.sizes());
  at::Tensor out = buffer(2 * x.size(0), x.size(1));
  const float* source = x.const_data_ptr<float>();
  std::copy_n(source, x.numel(), std::copy_n(source, x.numel(), out.data_ptr<float>()));
  return out;
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::span<const std::vector<kernels::RowRange>> visible, std::span<const std::int64_t> query_rows,
                     std::int64_t signs, const kernels::AttentionHeads& heads) {
  const core::ProfileScope profile(core::Part::kAttention);
  const std::int64_t width = heads.heads * heads.head_dim, kv_width = heads.kv_heads * heads.head_dim;
  const auto keys = static_cast<std::int64_t>(visible.size());
  const auto queries = query_rows.empty() ? keys : static_cast<std::int64_t>(query_rows.size());
  check_matrix(q, "q", width);
  check_matrix(k, "k", kv_width);
  check_matrix(v, "v", kv_width);
  QZO_CHECK(heads.kv_heads > 0 && heads.heads % heads.kv_heads == 0, heads.heads, " heads over ", heads.kv_heads,
            " key heads");
  QZO_CHECK(q.size(0) == signs * queries, "q has ", q.size(0), " rows for ", signs, " x ", queries, " queries");
  QZO_CHECK(k.size(0) == signs * keys && v.size(0) == signs * keys, k.size(0), " keys and ", v.size(0), " values for ",
            signs, " x ", keys, " rows");
  std::int64_t most_visible = 0;
  for (const auto& ranges : visible) {
    std::int64_t seen = 0;
    for (const kernels::RowRange& range : ranges) {
      QZO_CHECK(range.begin >= 0 && range.begin <= range.end && range.end <= keys, "[", range.begin, ", ", range.end,
                ") of ", keys, " keys");
      seen += range.end - range.begin;
    }
    QZO_CHECK(seen > 0, "a row that sees no key");
    most_visible = std::max(most_visible, seen);
  }
  for (const std::int64_t row : query_rows) QZO_CHECK(row >= 0 && row < keys, "query row ", row, " of ", keys);

  at::Tensor out = buffer(q.size(0), width);
  const at::Tensor scratch = buffer(core::thread_count(), most_visible);
  core::parallel_for(ceil_div(signs * queries, kQueriesPerPiece), [&](std::int64_t piece, int worker) {
    const std::int64_t end = std::min(signs * queries, (piece + 1) * kQueriesPerPiece);
    for (std::int64_t i = piece * kQueriesPerPiece; i < end; ++i) {
      const std::int64_t query = i % queries;
      const std::int64_t row = query_rows.empty() ? query : query_rows[static_cast<std::size_t>(query)];
      const std::int64_t first_key = i / queries * keys;  // of this sign
      kernels::attention_row(q.const_data_ptr<float>() + i * width, k.const_data_ptr<float>() + first_key * kv_width,
                             v.const_data_ptr<float>() + first_key * kv_width, kv_width,
                             visible[static_cast<std::size_t>(row)], heads,
                             scratch.data_ptr<float>() + worker * most_visible, out.data_ptr<float>() + i * width);
    }
  });
  return out;
}

}  // namespace qzo::ops
