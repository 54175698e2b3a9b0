#include "qzo/ops/transformer.h"

#include <cmath>
#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/ops/threads.h"

#include "support/floats.h"

namespace qzo::ops {
namespace {

using kernels::RopePairing;
using kernels::RowRange;

at::Tensor random_matrix(std::int64_t rows, std::int64_t columns, unsigned seed = 1) {
  at::Tensor x = at::empty({rows, columns}, at::kFloat);
  const test::Floats values = test::Floats::random(rows * columns, 2.0F, seed);
  std::copy(values.begin(), values.end(), x.data_ptr<float>());
  return x;
}

// `compute` with one thread and with two: the same bits.
at::Tensor same_with_two_threads(const std::function<at::Tensor()>& compute) {
  configure_threads(2);
  const at::Tensor two = compute();
  configure_threads(1);
  const at::Tensor one = compute();
  EXPECT_TRUE(at::equal(one, two));
  return one;
}

void expect_close(const at::Tensor& got, const at::Tensor& truth, double tolerance) {
  ASSERT_EQ(got.sizes(), truth.sizes());
  EXPECT_LT((got.to(at::kDouble) - truth).abs().max().item<double>(), tolerance);
}

TEST(RmsNorm, AgreesWithDouble) {
  const at::Tensor x = random_matrix(70, 48);
  const test::Floats weight = test::Floats::random(48);
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor truth =
      wide / (wide.square().mean(1, true) + 1e-5).sqrt() * at::tensor(static_cast<const std::vector<float>&>(weight));
  expect_close(same_with_two_threads([&] { return rms_norm(x, weight, 1e-5F); }), truth, 2e-6);
  EXPECT_THROW(rms_norm(random_matrix(3, 47), weight, 1e-5F), core::InternalError);
}

RopeTable table_of(std::int64_t positions, std::int64_t half_dim) {
  RopeTable table;
  table.positions = positions;
  table.half_dim = half_dim;
  for (std::int64_t p = 0; p < positions; ++p)
    for (std::int64_t i = 0; i < half_dim; ++i) {
      const float angle = static_cast<float>(p) / static_cast<float>(i + 1);
      table.cosine.push_back(std::cos(angle));
      table.sine.push_back(std::sin(angle));
    }
  return table;
}

TEST(Rope, PositionsRepeatForEachSignAndPairingsArePermutations) {
  const std::int64_t heads = 2, head_dim = 8, tokens = 41;
  const RopeTable table = table_of(100, head_dim / 2);
  std::vector<std::int32_t> positions;
  for (int i = 0; i < tokens; ++i) positions.push_back(i * 2);
  const at::Tensor one_sign = random_matrix(tokens, heads * head_dim);
  const auto rotated = [&](const at::Tensor& x, RopePairing pairing) {
    return same_with_two_threads([&] {
      at::Tensor y = x.clone();
      rope_(y, heads, head_dim, positions, table, pairing);
      return y;
    });
  };
  const at::Tensor once = rotated(one_sign, RopePairing::kHalf);
  const at::Tensor twice = rotated(at::cat({one_sign, one_sign}), RopePairing::kHalf);
  EXPECT_TRUE(at::equal(twice, at::cat({once, once})));
  EXPECT_TRUE(at::equal(once[0], one_sign[0])) << "position 0 is not rotated";
  EXPECT_FALSE(at::equal(once[1], one_sign[1]));

  // Element (half, i) of a head stands at (i, half) in the interleaved order.
  const auto interleave = [&](const at::Tensor& x) {
    return x.view({tokens, heads, 2, head_dim / 2}).transpose(2, 3).contiguous().view({tokens, heads * head_dim});
  };
  EXPECT_TRUE(at::equal(rotated(interleave(one_sign), RopePairing::kInterleaved), interleave(once)));
}

TEST(Rope, WrongArgumentsAreInternalErrors) {
  const RopeTable table = table_of(10, 4);
  const auto run = [&](std::int64_t rows, std::int64_t head_dim, const std::vector<std::int32_t>& positions) {
    at::Tensor x = random_matrix(rows, 2 * head_dim);
    rope_(x, 2, head_dim, positions, table, RopePairing::kHalf);
  };
  EXPECT_NO_THROW(run(4, 8, {0, 9}));
  EXPECT_THROW(run(4, 8, {0, 10}), core::InternalError);
  EXPECT_THROW(run(4, 8, {0, -1}), core::InternalError);
  EXPECT_THROW(run(3, 8, {0, 1}), core::InternalError);
  EXPECT_NO_THROW(run(4, 10, {0, 1}));  // a part of each head stays
  EXPECT_THROW(run(4, 6, {0, 1}), core::InternalError);
}

TEST(Gate, AgreesWithDouble) {
  const at::Tensor gate = random_matrix(300, 129), up = random_matrix(300, 129, 2);
  const at::Tensor got = same_with_two_threads([&] {
    at::Tensor result = gate.clone();
    gate_(kernels::Activation::kSilu, result, up);
    return result;
  });
  const at::Tensor wide = gate.to(at::kDouble);
  expect_close(got, wide * at::sigmoid(wide) * up.to(at::kDouble), 1e-6);
  at::Tensor short_gate = random_matrix(299, 129);
  EXPECT_THROW(gate_(kernels::Activation::kSilu, short_gate, up), core::InternalError);
}

TEST(SplitColumns, PartsAreTheColumnsInOrder) {
  const at::Tensor x = random_matrix(300, 20);
  const std::vector<std::int64_t> widths = {12, 5, 3};
  const std::vector<at::Tensor> parts = split_columns(x, widths);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_TRUE(at::equal(at::cat(parts, 1), x));
  EXPECT_EQ(parts[1].size(1), 5);
  EXPECT_TRUE(parts[1].is_contiguous());
  EXPECT_THROW(split_columns(x, std::vector<std::int64_t>{12, 5}), core::InternalError);
}

TEST(LayerNorm, AgreesWithDouble) {
  const at::Tensor x = random_matrix(300, 129);
  const std::vector<float> weight(129, 1.5F), bias(129, -0.25F);
  const at::Tensor got = same_with_two_threads([&] { return layer_norm(x, weight, bias, 1e-5F); });
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor centred = wide - wide.mean(1, true);
  expect_close(got, centred / at::sqrt(centred.square().mean(1, true) + 1e-5) * 1.5 - 0.25, 2e-6);
  EXPECT_THROW(layer_norm(x, weight, std::vector<float>(3), 1e-5F), core::InternalError);
}

TEST(ElementWise, ActivationScaleAndCapAgreeWithDouble) {
  const at::Tensor x = random_matrix(300, 129);
  const auto after = [&](const auto& change) {
    return same_with_two_threads([&] {
      at::Tensor result = x.clone();
      change(result);
      return result;
    });
  };
  const at::Tensor wide = x.to(at::kDouble);
  EXPECT_TRUE(at::equal(after([](at::Tensor& t) { activate_(kernels::Activation::kRelu, t); }), x.clamp_min(0)));
  expect_close(after([](at::Tensor& t) { soft_cap_(t, 0.5F); }), at::tanh(wide / 0.5) * 0.5, 1e-6);
  EXPECT_TRUE(at::equal(after([](at::Tensor& t) { scale_(t, 3.0F); }), x * 3.0F));
  at::Tensor copy = x.clone();
  EXPECT_THROW(soft_cap_(copy, 0), core::InternalError);
}

TEST(Add, AddsInPlace) {
  const at::Tensor a = random_matrix(300, 129), b = random_matrix(300, 129, 2);
  const at::Tensor got = same_with_two_threads([&] {
    at::Tensor result = a.clone();
    add_(result, b);
    return result;
  });
  EXPECT_TRUE(at::equal(got, a + b));
}

// Two roots (rows 0-4, rows 5-8) and a segment (rows 9-12) that continues the first.
std::vector<std::vector<RowRange>> packed_visibility() {
  std::vector<std::vector<RowRange>> visible;
  for (std::int64_t r = 0; r < 5; ++r) visible.push_back({{0, r + 1}});
  for (std::int64_t r = 5; r < 9; ++r) visible.push_back({{5, r + 1}});
  for (std::int64_t r = 9; r < 13; ++r) visible.push_back({{0, 5}, {9, r + 1}});
  return visible;
}

at::Tensor masked_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t heads,
                            std::int64_t kv_heads, std::int64_t head_dim) {
  const auto visible = packed_visibility();
  const std::int64_t rows = k.size(0);
  at::Tensor mask = at::full({rows, rows}, -std::numeric_limits<double>::infinity(), at::kDouble);
  for (std::int64_t r = 0; r < rows; ++r)
    for (const RowRange range : visible[static_cast<std::size_t>(r)]) mask[r].slice(0, range.begin, range.end).zero_();
  const auto split = [&](const at::Tensor& x, std::int64_t count) {
    return x.to(at::kDouble).view({rows, count, head_dim}).transpose(0, 1).repeat_interleave(heads / count, 0);
  };
  const at::Tensor scores =
      at::matmul(split(q, heads), split(k, kv_heads).transpose(1, 2)) / std::sqrt(static_cast<double>(head_dim)) + mask;
  return at::matmul(at::softmax(scores, -1), split(v, kv_heads)).transpose(0, 1).reshape({rows, heads * head_dim});
}

TEST(Attention, PackedSegmentsOfTwoSignsAgreeWithAMask) {
  const std::int64_t heads = 4, kv_heads = 2, head_dim = 24;
  const kernels::AttentionHeads shape{
      .heads = heads, .kv_heads = kv_heads, .head_dim = head_dim, .scale = 1 / std::sqrt(24.0F)};
  const auto visible = packed_visibility();
  const at::Tensor q = random_matrix(26, heads * head_dim, 1), k = random_matrix(26, kv_heads * head_dim, 2),
                   v = random_matrix(26, kv_heads * head_dim, 3);
  const at::Tensor got = same_with_two_threads([&] { return attention(q, k, v, visible, {}, 2, shape); });
  for (const std::int64_t sign : {0, 1}) {
    const auto half = [sign](const at::Tensor& x) { return x.narrow(0, sign * 13, 13); };
    expect_close(half(got), masked_attention(half(q), half(k), half(v), heads, kv_heads, head_dim), 3e-6);
  }

  const std::vector<std::int64_t> rows{12, 3, 8};
  const auto pick = [&](const at::Tensor& x) {
    const at::Tensor index = at::tensor(std::vector<std::int64_t>{12, 3, 8, 25, 16, 21}, at::kLong);
    return x.index_select(0, index);
  };
  EXPECT_TRUE(at::equal(attention(pick(q), k, v, visible, rows, 2, shape), pick(got)));
}

TEST(Attention, WrongArgumentsAreInternalErrors) {
  const at::Tensor q = random_matrix(3, 16), k = random_matrix(3, 8), v = random_matrix(3, 8, 2);
  using Visible = std::vector<std::vector<RowRange>>;
  const auto run = [&](const Visible& visible, const std::vector<std::int64_t>& rows, std::int64_t signs) {
    return attention(q, k, v, visible, rows, signs, {.heads = 4, .kv_heads = 2, .head_dim = 4});
  };
  const Visible good{{{0, 1}}, {{0, 2}}, {{0, 3}}};
  EXPECT_NO_THROW(run(good, {}, 1));
  EXPECT_THROW(run(good, {0, 1, 3}, 1), core::InternalError);
  EXPECT_THROW(run(good, {0, 1}, 1), core::InternalError);
  EXPECT_THROW(run(good, {}, 2), core::InternalError);
  EXPECT_THROW(run({{{0, 1}}, {{0, 2}}, {{0, 4}}}, {}, 1), core::InternalError);
  EXPECT_THROW(run({{{0, 1}}, {}, {{0, 3}}}, {}, 1), core::InternalError);
  EXPECT_THROW(run({{{0, 1}}, {{0, 2}}}, {}, 1), core::InternalError);
  EXPECT_THROW(attention(q, k, v, good, {}, 1, {.heads = 4, .kv_heads = 3, .head_dim = 4}), core::InternalError);
}

}  // namespace
}  // namespace qzo::ops
