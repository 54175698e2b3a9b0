#pragma once
// Row-wise operations of a decoder layer on fp32 tensors, parallel over rows; see kernels/transformer.h for the
// arithmetic. Shapes: R rows (both signs stacked in a twin pass), C width.

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/transformer.h"

namespace qzo::ops {

at::Tensor rms_norm(const at::Tensor& x, std::span<const float> weight, float eps);

// cosine, sine [positions, head_dim/2].
struct RopeTable {
  std::vector<float> cosine, sine;
  std::int64_t positions = 0;
  std::int64_t half_dim = 0;
};
// In place on x [R, heads * head_dim]; positions [R / signs], repeated for each sign.
void rope_(at::Tensor& x, std::int64_t heads, std::int64_t head_dim, std::span<const std::int32_t> positions,
           const RopeTable& table, kernels::RopePairing pairing);

void swiglu_(at::Tensor& gate, const at::Tensor& up);
void add_(at::Tensor& a, const at::Tensor& b);

// visible[r]: key ranges of query row r within one sign (kernels::RowRange). q [signs * Q, heads * head_dim] for query
// rows `query_rows` (indices into the keys' rows; empty = all), k, v [signs * T, kv_heads * head_dim].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::span<const std::vector<kernels::RowRange>> visible, std::span<const std::int64_t> query_rows,
                     std::int64_t signs, std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim);

}  // namespace qzo::ops
