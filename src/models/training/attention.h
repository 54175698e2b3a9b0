#pragma once
// Rotation and attention that autograd can go back through. T rows of a batch, H heads, D head size.

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/kernels/transformer.h"
#include "qzo/ops/transformer.h"

#include "models/decoder/spec.h"

namespace qzo::models {

// Cosines and sines of the rows of a batch: [T, 1, half].
struct RotationRows {
  at::Tensor cosine, sine;
};
RotationRows rotation_rows(const ops::RopeTable& table, std::span<const std::int32_t> positions);

// x [T, H * D] -> the same, the first 2 * half elements of each head turned.
at::Tensor rotated(const at::Tensor& x, std::int64_t heads, const RotationRows& rows, kernels::RopePairing pairing);

// Consecutive rows of a batch that see each other and no others.
struct AttentionBlock {
  std::int64_t begin = 0, length = 0;
  at::Tensor mask;  // [length, length]: 0 where the row sees the column, otherwise -infinity
};
std::vector<AttentionBlock> attention_blocks(std::span<const std::vector<kernels::RowRange>> visible);

// q [T, heads * D], k and v [T, kv_heads * D] -> [T, heads * D].
at::Tensor attended(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    std::span<const AttentionBlock> blocks, const DecoderSpec& spec);

}  // namespace qzo::models
