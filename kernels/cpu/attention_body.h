#pragma once
// Softmax attention of one query row in two passes: all scores of a head, then the weighted sum of the values. The
// order of all sums depends on the number of visible keys and head_dim only.

#include <cstddef>
#include <cstdint>

#include "cpu/activation_body.h"
#include "cpu/exp.h"
#include "cpu/rowwise_body.h"
#include "cpu/tail.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

// scores[0..3] = q . k of four keys that lie ldkv apart; each key's dot product is a sum of its own.
template <class L>
inline void four_scores(const float* q, const float* k, std::int64_t ldkv, std::int64_t head_dim, float* scores) {
  using Floats = typename L::Floats;
  Floats s0 = L::zero(), s1 = L::zero(), s2 = L::zero(), s3 = L::zero();
  for (std::int64_t d = 0; d < head_dim; d += kLanes) {
    const std::int64_t left = head_dim - d;
    const Floats query = load_some<L>(q + d, left);
    s0 = L::fma(query, load_some<L>(k + d, left), s0);
    s1 = L::fma(query, load_some<L>(k + d + ldkv, left), s1);
    s2 = L::fma(query, load_some<L>(k + d + 2 * ldkv, left), s2);
    s3 = L::fma(query, load_some<L>(k + d + 3 * ldkv, left), s3);
  }
  L::reduce_add4(s0, s1, s2, s3, scores);
}

template <class L>
inline float one_score(const float* q, const float* k, std::int64_t head_dim) {
  typename L::Floats sum = L::zero();
  for (std::int64_t d = 0; d < head_dim; d += kLanes)
    sum = L::fma(load_some<L>(q + d, head_dim - d), load_some<L>(k + d, head_dim - d), sum);
  return L::reduce_add(sum);
}

// Unscaled scores of one head for every visible key; returns how many there are.
template <class L>
inline std::int64_t head_scores(const AttentionJob& job, const float* q, const float* k) {
  std::int64_t keys = 0;
  for (std::int64_t range = 0; range < job.ranges; ++range) {
    std::int64_t row = job.visible[range].begin;
    const std::int64_t end = job.visible[range].end;
    for (; row + 4 <= end; row += 4, keys += 4)
      four_scores<L>(q, k + row * job.ldkv, job.ldkv, job.heads.head_dim, job.scratch + keys);
    for (; row < end; ++row, ++keys) job.scratch[keys] = one_score<L>(q, k + row * job.ldkv, job.heads.head_dim);
  }
  return keys;
}

// Unscaled scores -> cap * tanh(score * scale / cap).
template <class L>
inline void cap_scores(float* scores, std::int64_t keys, float scale, float cap) {
  for (std::int64_t i = 0; i < keys; i += kLanes) {
    const typename L::Floats score = L::mul(load_some<L>(scores + i, keys - i), L::broadcast(scale));
    store_some<L>(scores + i, soft_cap_lanes<L>(score, cap), keys - i);
  }
}

// scores -> exp((score - max) * factor), returns their sum.
template <class L>
inline float exponentiate(float* scores, std::int64_t keys, float factor) {
  using Floats = typename L::Floats;
  const Floats highest = L::broadcast(maximum<L>(scores, keys));
  Floats sum = L::zero();
  for (std::int64_t i = 0; i < keys; i += kLanes) {
    const Floats score = load_some<L>(scores + i, keys - i, -__builtin_inff());
    const Floats p = exp_lanes<L>(L::mul(L::sub(score, highest), L::broadcast(factor)));
    sum = L::add(sum, p);
    store_some<L>(scores + i, p, keys - i);
  }
  return L::reduce_add(sum);
}

// out[0, 16 * vectors) = sum over keys of p * v / total; `left` elements exist.
template <class L, int vectors>
inline void weighted_values(const AttentionJob& job, const float* v, float total, float* out, std::int64_t left) {
  using Floats = typename L::Floats;
  Floats sum[static_cast<std::size_t>(vectors)];
#pragma GCC unroll 4
  for (int i = 0; i < vectors; ++i) sum[i] = L::zero();
  const float* p = job.scratch;
  for (std::int64_t range = 0; range < job.ranges; ++range)
    for (std::int64_t row = job.visible[range].begin; row < job.visible[range].end; ++row, ++p) {
      const Floats weight = L::broadcast(*p);
      const float* value = v + row * job.ldkv;
#pragma GCC unroll 4
      for (int i = 0; i < vectors; ++i)
        sum[i] = L::fma(weight, load_some<L>(value + i * kLanes, left - i * kLanes), sum[i]);
    }
#pragma GCC unroll 4
  for (int i = 0; i < vectors; ++i)
    store_some<L>(out + i * kLanes, L::div(sum[i], L::broadcast(total)), left - i * kLanes);
}

template <class L>
void attention_row_of(const AttentionJob& job) {
  const AttentionHeads& shape = job.heads;
  const std::int64_t heads_per_kv = shape.heads / shape.kv_heads;
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    const float* q = job.q + head * shape.head_dim;
    const std::int64_t kv_offset = head / heads_per_kv * shape.head_dim;
    const std::int64_t keys = head_scores<L>(job, q, job.k + kv_offset);
    float factor = shape.scale;
    if (shape.cap > 0) {
      cap_scores<L>(job.scratch, keys, shape.scale, shape.cap);
      factor = 1;
    }
    const float total = exponentiate<L>(job.scratch, keys, factor);
    float* out = job.out + head * shape.head_dim;
    const float* v = job.v + kv_offset;
    std::int64_t d = 0;
    for (; d + 4 * kLanes <= shape.head_dim; d += 4 * kLanes)
      weighted_values<L, 4>(job, v + d, total, out + d, 4 * kLanes);
    for (; d < shape.head_dim; d += kLanes) weighted_values<L, 1>(job, v + d, total, out + d, shape.head_dim - d);
  }
}

}  // namespace
}  // namespace qzo::kernels
