#pragma once
// Row-wise operations of a decoder layer on fp32 tensors, parallel over rows; see kernels/transformer.h for the
// arithmetic. Shapes: R rows (both signs stacked in a twin pass), C width.

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/transformer.h"

namespace qzo::ops {

// x [R, C], weight [C] -> [R, C].
at::Tensor rms_norm(const at::Tensor& x, std::span<const float> weight, float eps);

// The same with mean and bias; bias [C] or empty.
at::Tensor layer_norm(const at::Tensor& x, std::span<const float> weight, std::span<const float> bias, float eps);

// cosine, sine [positions, half_dim]; 2 * half_dim elements of a head are turned.
struct RopeTable {
  std::vector<float> cosine, sine;
  std::int64_t positions = 0;
  std::int64_t half_dim = 0;
};
// In place on x [R, heads * head_dim]; positions [R / signs], repeated for each sign; each below table.positions.
void rope_(at::Tensor& x, std::int64_t heads, std::int64_t head_dim, std::span<const std::int32_t> positions,
           const RopeTable& table, kernels::RopePairing pairing);

// x = f(x)
void activate_(kernels::Activation f, at::Tensor& x);
// gate = f(gate) * up
void gate_(kernels::Activation f, at::Tensor& gate, const at::Tensor& up);
// a += b
void add_(at::Tensor& a, const at::Tensor& b);
// x *= factor
void scale_(at::Tensor& x, float factor);
// x = cap * tanh(x / cap)
void soft_cap_(at::Tensor& x, float cap);

// x [R, sum of widths] -> [R, width] each: the products of the parts of a fused weight.
std::vector<at::Tensor> split_columns(const at::Tensor& x, std::span<const std::int64_t> widths);

// [rows.size(), C]: these rows of x [R, C], in this order.
at::Tensor select_rows(const at::Tensor& x, std::span<const std::int64_t> rows);
// x [R, C] twice, one below the other: [2 R, C].
at::Tensor for_both_signs(const at::Tensor& x);

// k, v [signs * T, kv_heads * head_dim]. visible [T]: key ranges that row r of one sign sees (kernels::RowRange, within
// [0, T)). q [signs * Q, heads * head_dim]: query i is row query_rows[i] (empty: all T rows) and sees visible of that
// row. Returns [signs * Q, heads * head_dim].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::span<const std::vector<kernels::RowRange>> visible, std::span<const std::int64_t> query_rows,
                     std::int64_t signs, const kernels::AttentionHeads& heads);

}  // namespace qzo::ops
