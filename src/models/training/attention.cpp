#include "models/training/attention.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>

#include "qzo/core/check.h"

namespace qzo::models {
namespace {

at::Tensor mask_of(std::span<const std::vector<kernels::RowRange>> visible, std::int64_t begin, std::int64_t length) {
  at::Tensor mask = at::full({length, length}, -std::numeric_limits<float>::infinity(), at::kFloat);
  auto* values = mask.data_ptr<float>();
  for (std::int64_t row = 0; row < length; ++row) {
    for (const kernels::RowRange& range : visible[static_cast<std::size_t>(begin + row)])
      std::fill(values + row * length + range.begin - begin, values + row * length + range.end - begin, 0.0F);
  }
  return mask;
}

// One block: rows [t, heads * D] -> [kv_heads, heads / kv_heads * t, D], the queries of a key head one after the other.
at::Tensor by_key_head(const at::Tensor& x, const DecoderSpec& spec, std::int64_t heads) {
  return x.view({x.size(0), spec.kv_heads, heads / spec.kv_heads, spec.head_dim})
      .permute({1, 2, 0, 3})
      .reshape({spec.kv_heads, -1, spec.head_dim});
}

at::Tensor attend_block(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask,
                        const DecoderSpec& spec) {
  const std::int64_t rows = q.size(0), group = spec.heads / spec.kv_heads;
  const at::Tensor keys = by_key_head(k, spec, spec.kv_heads), values = by_key_head(v, spec, spec.kv_heads);
  at::Tensor scores = at::bmm(by_key_head(q, spec, spec.heads), keys.transpose(1, 2)) * double{spec.attention_scale};
  if (spec.attention_cap > 0) {
    const double cap{spec.attention_cap};
    scores = at::tanh(scores / cap) * cap;
  }
  const at::Tensor weights = at::softmax(scores.view({spec.kv_heads, group, rows, rows}) + mask, -1);
  return at::bmm(weights.view({spec.kv_heads, group * rows, rows}), values)
      .view({spec.kv_heads, group, rows, spec.head_dim})
      .permute({2, 0, 1, 3})
      .reshape({rows, spec.heads * spec.head_dim});
}

}  // namespace

RotationRows rotation_rows(const ops::RopeTable& table, std::span<const std::int32_t> positions) {
  const auto rows = static_cast<std::int64_t>(positions.size());
  RotationRows out{at::empty({rows, 1, table.half_dim}, at::kFloat), at::empty({rows, 1, table.half_dim}, at::kFloat)};
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t from = positions[static_cast<std::size_t>(row)] * table.half_dim;
    QZO_CHECK(from + table.half_dim <= static_cast<std::int64_t>(table.cosine.size()), "position ",
              positions[static_cast<std::size_t>(row)]);
    std::copy_n(table.cosine.begin() + from, table.half_dim, out.cosine.data_ptr<float>() + row * table.half_dim);
    std::copy_n(table.sine.begin() + from, table.half_dim, out.sine.data_ptr<float>() + row * table.half_dim);
  }
  return out;
}

at::Tensor rotated(const at::Tensor& x, std::int64_t heads, const RotationRows& rows, kernels::RopePairing pairing) {
  const std::int64_t half = rows.cosine.size(2);
  const at::Tensor all = x.view({x.size(0), heads, -1});
  const at::Tensor turned = all.narrow(2, 0, 2 * half);
  const bool interleaved = pairing == kernels::RopePairing::kInterleaved;
  const at::Tensor pairs = interleaved ? turned.reshape({x.size(0), heads, half, 2}) : at::Tensor();
  const at::Tensor a = interleaved ? pairs.select(3, 0) : turned.narrow(2, 0, half);
  const at::Tensor b = interleaved ? pairs.select(3, 1) : turned.narrow(2, half, half);
  const at::Tensor first = a * rows.cosine - b * rows.sine, second = b * rows.cosine + a * rows.sine;
  std::vector<at::Tensor> parts;
  if (interleaved) {
    parts = {at::stack({first, second}, 3).reshape(turned.sizes())};
  } else {
    parts = {first, second};
  }
  const std::int64_t rest = all.size(2) - 2 * half;
  if (rest > 0) parts.push_back(all.narrow(2, 2 * half, rest));
  return at::cat(parts, 2).view(x.sizes());
}

std::vector<AttentionBlock> attention_blocks(std::span<const std::vector<kernels::RowRange>> visible) {
  const auto rows = static_cast<std::int64_t>(visible.size());
  std::vector<AttentionBlock> blocks;
  // The lowest row that this one or a later one sees: a block begins where that is the row itself.
  std::vector<std::int64_t> lowest(visible.size());
  std::int64_t least = rows;
  for (std::int64_t row = rows; row-- > 0;) {
    least = std::min(least, visible[static_cast<std::size_t>(row)].front().begin);
    lowest[static_cast<std::size_t>(row)] = least;
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    if (lowest[static_cast<std::size_t>(row)] == row) blocks.push_back({.begin = row, .length = 0, .mask = {}});
    ++blocks.back().length;
  }
  for (AttentionBlock& block : blocks) block.mask = mask_of(visible, block.begin, block.length);
  return blocks;
}

at::Tensor attended(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    std::span<const AttentionBlock> blocks, const DecoderSpec& spec) {
  std::vector<at::Tensor> parts;
  for (const AttentionBlock& block : blocks) {
    const auto rows = [&](const at::Tensor& x) { return x.narrow(0, block.begin, block.length); };
    parts.push_back(attend_block(rows(q), rows(k), rows(v), block.mask, spec));
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts, 0);
}

}  // namespace qzo::models
