#include "qzo/nn/frozen_weight.h"

#include <cmath>

#include <ATen/ATen.h>

#include "qzo/nn/linear.h"

#include "unit/quant/checkpoints.h"

namespace qzo::nn {
namespace {

using quant::testing::BlockLayer;
using quant::testing::TempFolder;

float half_of(float value) { return core::half_to_float(core::float_to_half(value)); }

// A Q4_1 head: its minima must be the file's, bit for bit.
class FrozenQ41 : public ::testing::Test {
 protected:
  at::Tensor dense() const {
    at::Tensor weight = at::empty({3, 64}, at::kFloat);
    for (std::int64_t i = 0; i < 192; ++i) {
      const auto at = static_cast<std::size_t>(i);
      weight.data_ptr<float>()[i] =
          std::fma(half_of(layer_.d[at / 32]), static_cast<float>(layer_.codes[at]), half_of(layer_.m[at / 32]));
    }
    return weight;
  }
  TempFolder folder_;
  BlockLayer layer_{core::Dtype::kQ4_1};
  io::Checkpoint checkpoint_ = layer_.write(folder_.path() / "a.gguf");
  quant::PackedWeight weight_ = quant::load_weight(checkpoint_, layer_.request(), {});
  at::Tensor hidden_ = at::linspace(-1, 2, 5 * 64).reshape({5, 64});
};

TEST_F(FrozenQ41, LogitsAreProductsWithTheFilesWeights) {
  const FrozenWeight head(weight_);
  const at::Tensor expected = at::matmul(hidden_.to(at::kDouble), dense().t().to(at::kDouble));
  const at::Tensor full = logits(head, hidden_);
  EXPECT_LT((full - expected).abs().max().item<double>(), 1e-4);
  const std::vector<std::int32_t> tokens = {2, 0, 2};
  const at::Tensor some = token_logits(head, hidden_, tokens);
  EXPECT_TRUE(at::equal(some.select(1, 0), full.select(1, 2)));
  EXPECT_TRUE(at::equal(some.select(1, 1), full.select(1, 0)));
  EXPECT_TRUE(at::equal(some.select(1, 2), full.select(1, 2)));
}

TEST_F(FrozenQ41, LogProbabilitiesSumToOne) {
  const FrozenWeight head(weight_);
  std::vector<double> total(5);
  for (std::int32_t token = 0; token < 3; ++token) {
    const std::vector<float> scores = log_probabilities(head, hidden_, std::vector<std::int32_t>(5, token));
    for (std::size_t r = 0; r < 5; ++r) total[r] += std::exp(static_cast<double>(scores[r]));
  }
  for (const double sum : total) EXPECT_NEAR(sum, 1.0, 1e-5);
  EXPECT_THROW(log_probabilities(head, hidden_, std::vector<std::int32_t>(5, 3)), core::InternalError);
}

TEST_F(FrozenQ41, LinearSplitsRowsBySignAndAddsItsBias) {
  weight_.trainable = true;
  Linear layer{.weight = std::move(weight_), .bias = {1.0F, -2.0F, 0.5F}};
  const quant::testing::RampNoise noise;
  kernels::Probe probe{.noise = &noise, .eps = 0.01F};
  quant::ScaleBuffers buffers;
  const at::Tensor twice = at::cat({hidden_, hidden_});
  const at::Tensor both = apply(layer, twice, {.scales = {.probe = &probe}, .signs = 2, .buffers = buffers});
  probe.signs = kernels::Signs::kMinus;
  const at::Tensor minus = apply(layer, hidden_, {.scales = {.probe = &probe}, .buffers = buffers});
  EXPECT_TRUE(at::equal(both.narrow(0, 5, 5), minus));
  EXPECT_FALSE(at::equal(both.narrow(0, 0, 5), minus));
  const at::Tensor plain = apply(layer, hidden_, {.scales = {}, .buffers = buffers});
  const std::vector<float> bias = std::exchange(layer.bias, {});
  const at::Tensor without = apply(layer, hidden_, {.scales = {}, .buffers = buffers});
  for (std::int64_t n = 0; n < 3; ++n)
    EXPECT_TRUE(at::allclose(plain.select(1, n) - without.select(1, n),
                             at::full({5}, bias[static_cast<std::size_t>(n)]), 1e-4, 1e-4));
}

}  // namespace
}  // namespace qzo::nn
