#include "qzo/ops/linear.h"

#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/core/thread_pool.h"
#include "qzo/kernels/cpu_features.h"
#include "qzo/kernels/quant_matmul.h"
#include "qzo/ops/threads.h"

#include "support/random_weight.h"

namespace qzo::ops {
namespace {

using kernels::Layout;
using test::all_layouts;
using test::layout_name;
using test::RandomWeight;

at::Tensor random_matrix(std::int64_t rows, std::int64_t columns) {
  at::Tensor x = at::empty({rows, columns}, at::kFloat);
  const test::Floats values = test::Floats::random(rows * columns);
  std::copy(values.begin(), values.end(), x.data_ptr<float>());
  return x;
}

at::Tensor tensor_of(const std::vector<float>& values) { return at::tensor(values, at::kFloat); }

at::Tensor dense_weight(const kernels::CodeView& view, const kernels::ScaleView& scale) {
  at::Tensor w = at::empty({view.out, view.in}, at::kFloat);
  kernels::dequantize_rows(view, scale, 0, view.out, w.data_ptr<float>());
  return w;
}

// The product in double with each sign's own weights.
at::Tensor truth_of(const at::Tensor& x, const RandomWeight& weight, std::int64_t split, const test::Floats& bias) {
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor plus = dense_weight(weight.view(), weight.plus()).to(at::kDouble);
  const at::Tensor minus = dense_weight(weight.view(), weight.minus()).to(at::kDouble);
  const at::Tensor y = at::cat(
      {at::mm(wide.narrow(0, 0, split), plus.t()), at::mm(wide.narrow(0, split, x.size(0) - split), minus.t())});
  return bias.empty() ? y : y + tensor_of(bias);
}

double relative_error(const at::Tensor& got, const at::Tensor& truth) {
  return ((got.to(at::kDouble) - truth).norm() / truth.norm()).item<double>();
}

kernels::ChunkPlan chunks_of(const RandomWeight& weight) {
  const kernels::CodeView view = weight.view();
  const bool late = kernels::scale_late_supported(view, kernels::LateInputs::kBf16);
  return late ? kernels::make_chunk_plan(view) : kernels::ChunkPlan{};
}

class QuantLinear : public testing::Test {
 protected:
  void TearDown() override { configure_threads(1); }
};

double tolerance(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return 1e-6;
    case Precision::kBf16x2:
      return 1e-5;
    case Precision::kBf16:
      return 3e-3;
    case Precision::kInt8:
      return 1e-2;
  }
  return 0;
}

TEST_F(QuantLinear, EveryPrecisionAgreesWithDouble) {
  configure_threads(2);
  std::vector<test::WeightShape> shapes = all_layouts(200, 160);
  for (const auto& shape : test::packed_layouts(200, 160)) shapes.push_back(shape);
  for (const auto& shape : test::output_group_layouts(200, 160, 8)) shapes.push_back(shape);
  for (const auto& shape : shapes) {
    SCOPED_TRACE(layout_name(shape));
    RandomWeight weight(shape);
    const at::Tensor x = random_matrix(19, 160);
    const test::Floats bias = weight.uniform_vector(200);
    const at::Tensor truth = truth_of(x, weight, 7, bias);
    for (const Precision precision : kAllPrecisions) {
      SCOPED_TRACE(precision_name(precision));
      const auto inputs = late_inputs(precision);
      const double error = relative_error(
          quant_linear(x, weight.view(), weight.plus(), weight.minus(), 7, bias, precision, chunks_of(weight)), truth);
      const bool rounded = inputs && kernels::scale_late_supported(weight.view(), *inputs);
      EXPECT_LT(error, rounded ? tolerance(precision) : 1e-6);
      EXPECT_TRUE(!rounded || error > tolerance(precision) / 1000) << "nothing was rounded?";
    }
  }
}

TEST_F(QuantLinear, WithoutAProbeMinusScalesAreNotNeeded) {
  RandomWeight weight({Layout::kQ4_1, 48, 64});
  const at::Tensor x = random_matrix(5, 64);
  for (const auto precision : kAllPrecisions) {
    const at::Tensor y = quant_linear(x, weight.view(), weight.plus(), {}, 5, {}, precision, chunks_of(weight));
    EXPECT_LT(relative_error(y, truth_of(x, weight, 5, {})), tolerance(precision));
  }
}

TEST_F(QuantLinear, OneAndTwoThreadsGiveTheSameBits) {
  for (const auto precision : kAllPrecisions)
    for (const auto& shape : all_layouts(272, 96)) {
      RandomWeight weight(shape);
      const at::Tensor x = random_matrix(1100, 96);
      const auto run = [&](int threads) {
        configure_threads(threads);
        return quant_linear(x, weight.view(), weight.plus(), weight.minus(), 550, {}, precision, chunks_of(weight));
      };
      EXPECT_TRUE(at::equal(run(1), run(2))) << layout_name(shape) << ' ' << precision_name(precision);
    }
}

// Passes of other sizes must not change a bit.
TEST_F(QuantLinear, ARowDoesNotDependOnTheNumberOfRows) {
  configure_threads(2);
  for (const auto precision : kAllPrecisions)
    for (const auto& shape : all_layouts(200, 96)) {
      RandomWeight weight(shape);
      const at::Tensor x = random_matrix(700, 96);
      const auto run = [&](std::int64_t rows) {
        return quant_linear(x.narrow(0, 0, rows), weight.view(), weight.plus(), weight.minus(), rows, {}, precision,
                            chunks_of(weight));
      };
      EXPECT_TRUE(at::equal(run(700).narrow(0, 0, 37), run(37))) << layout_name(shape);
    }
}

// More rows than one task has: the split may fall into any of them.
TEST_F(QuantLinear, SplitAnywhereAmongRowChunks) {
  RandomWeight weight({Layout::kQ4_0, 24, 32});
  const at::Tensor x = random_matrix(1300, 32);
  configure_threads(2);
  for (const std::int64_t split : {0, 100, 512, 1024, 1250, 1300}) {
    const at::Tensor y = quant_linear(x, weight.view(), weight.plus(), weight.minus(), split, {}, Precision::kFp32);
    EXPECT_LT(relative_error(y, truth_of(x, weight, split, {})), 1e-6) << split;
  }
}

TEST_F(QuantLinear, NoRowsGiveNoRows) {
  RandomWeight weight({Layout::kQ8_0, 24, 32});
  for (const auto precision : kAllPrecisions)
    EXPECT_EQ(quant_linear(random_matrix(0, 32), weight.view(), weight.plus(), {}, 0, {}, precision, chunks_of(weight))
                  .sizes(),
              at::IntArrayRef({0, 24}));
}

TEST_F(QuantLinear, WrongArgumentsAreInternalErrors) {
  RandomWeight weight({Layout::kQ4_1, 32, 64});
  const auto run = [&](const at::Tensor& x, const kernels::ScaleView& plus, std::int64_t split, std::size_t biases) {
    const std::vector<float> bias(biases, 0.0F);
    return quant_linear(x, weight.view(), plus, weight.minus(), split, bias, Precision::kFp32);
  };
  const at::Tensor x = random_matrix(4, 64);
  EXPECT_NO_THROW(run(x, weight.plus(), 2, 32));
  EXPECT_THROW(run(x.to(at::kDouble), weight.plus(), 2, 0), core::InternalError);
  EXPECT_THROW(run(random_matrix(4, 32), weight.plus(), 2, 0), core::InternalError);
  EXPECT_THROW(run(x.view({2, 2, 64}), weight.plus(), 2, 0), core::InternalError);
  EXPECT_THROW(run(random_matrix(64, 64).t(), weight.plus(), 2, 0), core::InternalError);
  EXPECT_THROW(run(x, weight.plus(), 5, 0), core::InternalError);
  EXPECT_THROW(run(x, weight.plus(), -1, 0), core::InternalError);
  EXPECT_THROW(run(x, weight.plus(), 2, 31), core::InternalError);
  EXPECT_THROW(run(x, {}, 2, 0), core::InternalError);
  EXPECT_THROW(run(x, {weight.plus().scales, nullptr}, 2, 0), core::InternalError);
}

TEST(DequantizedRows, GathersInTheOrderAsked) {
  configure_threads(2);
  for (const auto& shape : all_layouts(50, 64)) {
    RandomWeight weight(shape);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 40; ++i) ids.push_back(i * 7 % 50);
    const at::Tensor rows = dequantized_rows(weight.view(), weight.plus(), ids);
    const at::Tensor all = dense_weight(weight.view(), weight.plus());
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(at::equal(rows[i], all[ids[static_cast<std::size_t>(i)]]));
  }
  configure_threads(1);
}

TEST(DequantizedRows, AnIdOutsideIsAnInternalError) {
  RandomWeight weight({Layout::kQ8_0, 50, 64});
  for (const std::int32_t id : {-1, 50}) {
    const std::vector<std::int32_t> ids{0, id};
    EXPECT_THROW(dequantized_rows(weight.view(), weight.plus(), ids), core::InternalError);
  }
}

TEST(Precision, NamesAndBack) {
  for (const Precision precision : kAllPrecisions) EXPECT_EQ(precision_from(precision_name(precision)), precision);
  EXPECT_THROW(precision_from("fp16"), core::InternalError);
}

}  // namespace
}  // namespace qzo::ops
