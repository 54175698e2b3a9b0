#include "qzo/ops/exact.h"

#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/kernels/quant_matmul.h"

#include "support/random_weight.h"

namespace qzo::ops {
namespace {

using test::RandomWeight;

std::vector<std::int32_t> all_rows(const kernels::CodeView& weight) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(weight.out));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

TEST(ExactRows, are_the_dequantized_weights_before_they_are_rounded) {
  for (const test::WeightShape& shape : test::all_layouts(80, 256)) {
    SCOPED_TRACE(test::layout_name(shape));
    const RandomWeight weight(shape);
    const kernels::CodeView view = weight.view();
    const at::Tensor exact = exact_rows(view, weight.plus(), all_rows(view));
    ASSERT_EQ(exact.scalar_type(), at::kDouble);
    at::Tensor rounded = at::empty({view.out, view.in}, at::kFloat);
    kernels::dequantize_rows(view, weight.plus(), 0, view.out, rounded.data_ptr<float>());
    EXPECT_TRUE(exact.to(at::kFloat).equal(rounded));
    const bool dense = view.layout <= kernels::Layout::kDenseBF16;
    EXPECT_EQ(exact.equal(rounded.to(at::kDouble)), dense) << "a scale times a code has more bits than fp32";
  }
}

TEST(ExactLinear, is_the_product_in_double) {
  for (const test::WeightShape& shape : test::all_layouts(80, 256)) {
    SCOPED_TRACE(test::layout_name(shape));
    const RandomWeight weight(shape);
    const at::Tensor x = at::linspace(-1, 1, 3 * 256, at::kDouble).sin().view({3, 256});
    const at::Tensor truth = at::mm(x, exact_rows(weight.view(), weight.minus(), all_rows(weight.view())).t());
    const at::Tensor y = exact_linear(x, weight.view(), weight.minus());
    EXPECT_LT(((y - truth).norm() / truth.norm()).item<double>(), 1e-14);
  }
}

TEST(ExactLinear, refuses_floats_and_rows_outside) {
  const RandomWeight weight({kernels::Layout::kQ4_1, 32, 64});
  EXPECT_THROW(exact_linear(at::zeros({2, 64}, at::kFloat), weight.view(), weight.plus()), core::InternalError);
  EXPECT_THROW(exact_rows(weight.view(), weight.plus(), std::vector<std::int32_t>{32}), core::InternalError);
}

}  // namespace
}  // namespace qzo::ops
