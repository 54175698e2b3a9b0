#include "qzo/nn/norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "qzo/core/error.h"

namespace qzo::nn {
namespace {

TEST(Norm, EveryHeadOfARowByItself) {
  const at::Tensor x = at::linspace(-1, 2, 3 * 8).reshape({3, 8});
  const Norm norm{.kind = NormKind::kRms, .eps = 1e-6F, .weight = {1, 2, 3, 4}};
  const at::Tensor got = apply(norm, x);
  ASSERT_EQ(got.sizes(), x.sizes());
  for (const std::int64_t head : {0, 1}) {
    const at::Tensor own = x.narrow(1, head * 4, 4).contiguous();
    EXPECT_TRUE(at::equal(got.narrow(1, head * 4, 4), apply(norm, own)));
  }
  EXPECT_FALSE(at::equal(got, x));
}

TEST(Norm, LayerNormHasNoMeanLeft) {
  const at::Tensor x = at::linspace(-1, 5, 3 * 8).reshape({3, 8});
  const Norm norm{.kind = NormKind::kLayer, .eps = 1e-6F, .weight = std::vector<float>(8, 1.0F)};
  EXPECT_LT(apply(norm, x).mean(1).abs().max().item<double>(), 1e-6);
  const Norm shifted{
      .kind = NormKind::kLayer, .eps = 1e-6F, .weight = std::vector<float>(8, 1.0F), .bias = std::vector<float>(8, 2)};
  EXPECT_LT((apply(shifted, x) - apply(norm, x) - 2).abs().max().item<double>(), 1e-6);
}

TEST(Norm, RowsThatAreNoMultipleAreOurBugs) {
  EXPECT_THROW(apply({.weight = {1, 2, 3}}, at::zeros({2, 8})), core::InternalError);
  EXPECT_THROW(apply({}, at::zeros({2, 8})), core::InternalError);
}

}  // namespace
}  // namespace qzo::nn
