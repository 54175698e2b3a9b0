#include "qzo/kernels/transformer.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include "cpu/exp.h"
#include "cpu/lanes_portable.h"
#include "cpu/log.h"
#include "support/each_isa.h"
#include "support/floats.h"

namespace qzo::kernels {
namespace {

using test::Floats;
using test::for_each_isa;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Runs `compute` on every instruction set; all must give the bits of the first.
Floats same_on_every_isa(const std::function<Floats()>& compute) {
  Floats first;
  for_each_isa([&] {
    const Floats got = compute();
    if (first.empty()) first = got;
    EXPECT_TRUE(test::same_bits(first, got));
  });
  return first;
}

float exp_of(float x) { return exp_lanes<PortableLanes>(PortableLanes::broadcast(x)).v[7]; }

TEST(Exp, RelativeErrorOverTheNormalRange) {
  double worst = 0;
  for (double x = -87.3; x < 88.7; x += 1.3e-4) {
    const float argument = static_cast<float>(x);
    const double truth = std::exp(static_cast<double>(argument));
    worst = std::max(worst, std::abs(exp_of(argument) / truth - 1));
  }
  EXPECT_LT(worst, 1.5e-7);
}

TEST(Exp, SubnormalResultsAreRoundedOnce) {
  for (double x = -104.4; x < -87.3; x += 1e-3) {
    const float argument = static_cast<float>(x);
    const double truth = std::exp(static_cast<double>(argument));
    EXPECT_NEAR(exp_of(argument), truth, 0x1p-150 + 1.5e-7 * truth) << x;
  }
}

TEST(Exp, SpecialValues) {
  EXPECT_EQ(exp_of(0.0F), 1.0F);
  EXPECT_EQ(exp_of(-0.0F), 1.0F);
  EXPECT_EQ(exp_of(-kInfinity), 0.0F);
  EXPECT_EQ(exp_of(-1e30F), 0.0F);
  EXPECT_EQ(exp_of(kInfinity), kInfinity);
  EXPECT_EQ(exp_of(88.8F), kInfinity);
  EXPECT_LT(exp_of(88.72F), kInfinity);
  EXPECT_TRUE(std::isnan(exp_of(kNaN)));
  EXPECT_TRUE(std::isnan(exp_of(-kNaN)));
}

TEST(Log, AgreesWithTheLibraryInDouble) {
  for (double x = 1.0; x < 1e12; x *= 1.0007) EXPECT_NEAR(log_of(x), std::log(x), 4e-16 * (1 + std::log(x))) << x;
  EXPECT_EQ(log_of(1.0), 0.0);
  EXPECT_TRUE(std::isnan(log_of(std::nan(""))));
  EXPECT_EQ(log_of(std::numeric_limits<double>::infinity()), std::numeric_limits<double>::infinity());
}

TEST(RmsNorm, AgreesWithDouble) {
  for (const std::int64_t width : {1, 7, 16, 24, 576}) {
    const Floats x = Floats::random(3 * width, 5.0F), weight = Floats::random(width, 2.0F, 2);
    const Floats got = same_on_every_isa([&] {
      Floats out = Floats::filled(3 * width);
      rms_norm(x.data(), weight.data(), 1e-5F, 3, width, out.data());
      return out;
    });
    for (std::int64_t row = 0; row < 3; ++row) {
      double squares = 0;
      for (std::int64_t i = 0; i < width; ++i) squares += std::pow(static_cast<double>(x[row * width + i]), 2);
      for (std::int64_t i = 0; i < width; ++i) {
        const double truth = x[row * width + i] / std::sqrt(squares / static_cast<double>(width) + 1e-5) * weight[i];
        EXPECT_NEAR(got[row * width + i], truth, 1e-6 * std::abs(truth));
      }
    }
  }
}

TEST(RmsNorm, InPlaceAndNan) {
  Floats x = Floats::random(3 * 20);
  const Floats weight = Floats::random(20, 1.0F, 2);
  Floats out = Floats::filled(60);
  rms_norm(x.data(), weight.data(), 1e-6F, 3, 20, out.data());
  rms_norm(x.data(), weight.data(), 1e-6F, 3, 20, x.data());
  EXPECT_EQ(x, out);
  x[25] = kNaN;
  rms_norm(x.data(), weight.data(), 1e-6F, 3, 20, out.data());
  for (int i = 0; i < 60; ++i) EXPECT_EQ(std::isnan(out[i]), i / 20 == 1);
}

struct Rotation {
  Floats cosine, sine;
  std::int64_t half;
  Rotation(std::int64_t positions, std::int64_t half_dim) : half(half_dim) {
    for (std::int64_t p = 0; p < positions; ++p)
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(p) * std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
        cosine.push_back(static_cast<float>(std::cos(angle)));
        sine.push_back(static_cast<float>(std::sin(angle)));
      }
  }
};

TEST(Rope, RotatesPairsAsComplexNumbers) {
  const std::int64_t heads = 3, head_dim = 10, ld = 33, rows = 4;
  const Rotation table(20, head_dim / 2);
  const std::int32_t positions[] = {0, 1, 19, 7};
  const Floats x = Floats::random(rows * ld);
  for (const auto pairing : {RopePairing::kHalf, RopePairing::kInterleaved}) {
    Floats got = x;
    rope(got.data(), ld, rows, heads, head_dim, table.half, positions, table.cosine.data(), table.sine.data(), pairing);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t head = 0; head < heads; ++head)
        for (std::int64_t i = 0; i < table.half; ++i) {
          const bool half = pairing == RopePairing::kHalf;
          const std::int64_t a = row * ld + head * head_dim + (half ? i : 2 * i);
          const std::int64_t b = half ? a + table.half : a + 1;
          const std::int64_t angle = positions[row] * table.half + i;
          const std::complex<double> rotated =
              std::complex<double>(x[a], x[b]) * std::complex<double>(table.cosine[angle], table.sine[angle]);
          EXPECT_NEAR(got[a], rotated.real(), 2e-7);
          EXPECT_NEAR(got[b], rotated.imag(), 2e-7);
        }
      for (std::int64_t i = heads * head_dim; i < ld; ++i) EXPECT_EQ(got[row * ld + i], x[row * ld + i]);
    }
  }
}

TEST(Rope, TurnsTheBeginningOfAHeadOnly) {
  const std::int64_t head_dim = 12, half = 4;
  const Rotation table(10, half);
  const std::int32_t position = 9;
  const Floats x = Floats::random(2 * head_dim);
  Floats got = x;
  rope(got.data(), 2 * head_dim, 1, 2, head_dim, half, &position, table.cosine.data(), table.sine.data(),
       RopePairing::kHalf);
  for (std::int64_t head = 0; head < 2; ++head) {
    Floats own;
    own.assign(x.begin() + head * head_dim, x.begin() + head * head_dim + 2 * half);
    rope(own.data(), 2 * half, 1, 1, 2 * half, half, &position, table.cosine.data(), table.sine.data(),
         RopePairing::kHalf);
    for (std::int64_t i = 0; i < head_dim; ++i)
      EXPECT_EQ(got[head * head_dim + i], i < 2 * half ? own[i] : x[head * head_dim + i]);
  }
}

TEST(Swiglu, AgreesWithDouble) {
  for (const std::int64_t count : {1, 15, 16, 1000}) {
    const Floats gate = Floats::random(count, 30.0F), up = Floats::random(count, 3.0F, 2);
    const Floats got = same_on_every_isa([&] {
      Floats out = gate;
      activate(Activation::kSilu, out.data(), up.data(), count);
      return out;
    });
    for (std::int64_t i = 0; i < count; ++i) {
      const double g = gate[i];
      const double truth = g / (1 + std::exp(-g)) * up[i];
      EXPECT_NEAR(got[i], truth, 5e-7 * std::abs(truth));
    }
  }
}

TEST(Swiglu, ExtremeGates) {
  Floats gate{-1000.0F, 1000.0F, kNaN, 0.0F};
  const Floats up = Floats::filled(4, 2.0F);
  activate(Activation::kSilu, gate.data(), up.data(), 4);
  EXPECT_EQ(gate[0], 0.0F);
  EXPECT_EQ(gate[1], 2000.0F);
  EXPECT_TRUE(std::isnan(gate[2]));
  EXPECT_EQ(gate[3], 0.0F);
}

double gelu_argument(double x) { return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }

double truth_of(Activation f, double x) {
  switch (f) {
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGeluTanh:
      return x / (1 + std::exp(-2 * gelu_argument(x)));
    case Activation::kGelu:
      return x * std::erfc(-x / std::sqrt(2.0)) / 2;
    case Activation::kRelu:
      return std::max(x, 0.0);
  }
  return std::nan("");
}

class EveryActivation : public ::testing::TestWithParam<Activation> {};

// Relative errors stay small far below zero, where the results are tiny.
TEST_P(EveryActivation, AgreesWithDouble) {
  for (const std::int64_t count : {1, 15, 16, 4000}) {
    for (const float range : {0.01F, 1.0F, 6.0F, 12.0F}) {
      const Floats x = Floats::random(count, range), factor = Floats::random(count, 3.0F, 2);
      for (const float* second : {static_cast<const float*>(nullptr), factor.data()}) {
        const Floats got = same_on_every_isa([&] {
          Floats out = x;
          activate(GetParam(), out.data(), second, count);
          return out;
        });
        for (std::int64_t i = 0; i < count; ++i) {
          const double truth = truth_of(GetParam(), x[i]) * (second == nullptr ? 1.0 : double{factor[i]});
          const double relative = x[i] > -4 ? 4e-6 : 2e-5;  // below, the rounding of the exponent tells
          EXPECT_NEAR(got[i], truth, 1e-30 + relative * std::abs(truth)) << x[i];
        }
      }
    }
  }
}

TEST_P(EveryActivation, ExtremesAndNan) {
  for_each_isa([&] {
    Floats x{-1000.0F, 1000.0F, kNaN, 0.0F, kInfinity};
    activate(GetParam(), x.data(), nullptr, 5);
    EXPECT_EQ(x[0], 0.0F);
    EXPECT_EQ(x[1], 1000.0F);
    EXPECT_TRUE(std::isnan(x[2]));
    EXPECT_EQ(x[3], 0.0F);
    EXPECT_EQ(x[4], kInfinity);
  });
}

INSTANTIATE_TEST_SUITE_P(Kernels, EveryActivation,
                         ::testing::Values(Activation::kSilu, Activation::kGeluTanh, Activation::kGelu,
                                           Activation::kRelu));

TEST(SoftCap, AgreesWithDouble) {
  for (const std::int64_t count : {1, 17, 3000}) {
    for (const float range : {0.01F, 30.0F, 300.0F}) {
      const Floats x = Floats::random(count, range);
      const Floats got = same_on_every_isa([&] {
        Floats out = x;
        soft_cap(out.data(), 30.0F, count);
        return out;
      });
      for (std::int64_t i = 0; i < count; ++i) {
        const double truth = 30 * std::tanh(x[i] / 30.0);
        EXPECT_NEAR(got[i], truth, 4e-7 * std::abs(truth)) << x[i];
      }
    }
  }
}

TEST(SoftCap, ExtremesAndNan) {
  for_each_isa([] {
    Floats x{-1e30F, kInfinity, kNaN, 0.0F, -0.0F};
    soft_cap(x.data(), 8.0F, 5);
    EXPECT_EQ(x[0], -8.0F);
    EXPECT_EQ(x[1], 8.0F);
    EXPECT_TRUE(std::isnan(x[2]));
    EXPECT_EQ(x[3], 0.0F);
    EXPECT_EQ(x[4], 0.0F);
  });
}

// A mean far from 0 must not cost the digits of what differs from it.
TEST(LayerNorm, AgreesWithDouble) {
  for (const std::int64_t width : {1, 7, 16, 24, 576}) {
    for (const float shift : {0.0F, 100.0F}) {
      Floats x = Floats::random(3 * width, 5.0F);
      for (float& value : x) value += shift;
      const Floats weight = Floats::random(width, 2.0F, 2), bias = Floats::random(width, 2.0F, 3);
      for (const float* added : {static_cast<const float*>(nullptr), bias.data()}) {
        const Floats got = same_on_every_isa([&] {
          Floats out = Floats::filled(3 * width);
          layer_norm(x.data(), weight.data(), added, 1e-5F, 3, width, out.data());
          return out;
        });
        for (std::int64_t row = 0; row < 3; ++row) {
          const auto at = [&](std::int64_t i) { return static_cast<double>(x[row * width + i]); };
          double mean = 0, variance = 0;
          for (std::int64_t i = 0; i < width; ++i) mean += at(i) / static_cast<double>(width);
          for (std::int64_t i = 0; i < width; ++i) variance += std::pow(at(i) - mean, 2) / static_cast<double>(width);
          for (std::int64_t i = 0; i < width; ++i) {
            const double truth =
                (at(i) - mean) / std::sqrt(variance + 1e-5) * weight[i] + (added == nullptr ? 0.0 : double{bias[i]});
            EXPECT_NEAR(got[row * width + i], truth, 4e-5);
          }
        }
      }
    }
  }
}

TEST(LayerNorm, InPlaceAndNan) {
  Floats x = Floats::random(3 * 20);
  const Floats weight = Floats::random(20, 1.0F, 2);
  Floats out = Floats::filled(60);
  layer_norm(x.data(), weight.data(), nullptr, 1e-6F, 3, 20, out.data());
  layer_norm(x.data(), weight.data(), nullptr, 1e-6F, 3, 20, x.data());
  EXPECT_EQ(x, out);
  x[25] = kNaN;
  layer_norm(x.data(), weight.data(), nullptr, 1e-6F, 3, 20, out.data());
  for (int i = 0; i < 60; ++i) EXPECT_EQ(std::isnan(out[i]), i / 20 == 1);
}

TEST(Scale, MultipliesInPlace) {
  Floats x = Floats::random(37);
  const Floats before = x;
  scale(x.data(), 1.7F, 37);
  for (int i = 0; i < 37; ++i) EXPECT_EQ(x[i], before[i] * 1.7F);
}

TEST(Add, AddsInPlace) {
  Floats a = Floats::random(37);
  const Floats before = a, b = Floats::random(37, 1.0F, 2);
  add(a.data(), b.data(), 37);
  for (int i = 0; i < 37; ++i) EXPECT_EQ(a[i], before[i] + b[i]);
}

struct AttentionCase {
  std::int64_t heads, kv_heads, head_dim, rows;
  std::vector<RowRange> visible;
  Floats q, k, v;
  std::int64_t ldkv;
  float cap = 0;

  AttentionCase(std::int64_t heads_, std::int64_t kv_heads_, std::int64_t head_dim_, std::vector<RowRange> visible_)
      : heads(heads_),
        kv_heads(kv_heads_),
        head_dim(head_dim_),
        rows(visible_.back().end + 2),
        visible(std::move(visible_)) {
    ldkv = kv_heads * head_dim + 3;
    q = Floats::random(heads * head_dim, 3.0F);
    k = Floats::random(rows * ldkv, 3.0F, 2);
    v = Floats::random(rows * ldkv, 1.0F, 3);
    for (std::int64_t row = 0; row < rows; ++row) {
      const bool seen = std::ranges::any_of(visible, [row](RowRange r) { return r.begin <= row && row < r.end; });
      for (std::int64_t i = seen ? kv_heads * head_dim : 0; i < ldkv; ++i) k[row * ldkv + i] = v[row * ldkv + i] = kNaN;
    }
  }

  [[nodiscard]] AttentionHeads shape() const {
    return {.heads = heads,
            .kv_heads = kv_heads,
            .head_dim = head_dim,
            .scale = 1 / std::sqrt(static_cast<float>(head_dim)),
            .cap = cap};
  }

  [[nodiscard]] Floats run(const std::vector<RowRange>& ranges) const {
    Floats out = Floats::filled(heads * head_dim), scratch = Floats::filled(rows);
    attention_row(q.data(), k.data(), v.data(), ldkv, ranges, shape(), scratch.data(), out.data());
    return out;
  }

  // Element d of one head's output, in double.
  [[nodiscard]] double truth(std::int64_t head, std::int64_t d) const {
    const std::int64_t kv = head / (heads / kv_heads) * head_dim;
    double total = 0, sum = 0;
    for (const RowRange range : visible)
      for (std::int64_t row = range.begin; row < range.end; ++row) {
        double score = 0;
        for (std::int64_t i = 0; i < head_dim; ++i)
          score += static_cast<double>(q[head * head_dim + i]) * static_cast<double>(k[row * ldkv + kv + i]);
        score /= std::sqrt(static_cast<double>(head_dim));
        if (cap > 0) score = cap * std::tanh(score / cap);
        const double p = std::exp(score);
        total += p;
        sum += p * static_cast<double>(v[row * ldkv + kv + d]);
      }
    return sum / total;
  }
};

TEST(Attention, AgreesWithDoubleOnEveryIsa) {
  const std::vector<std::vector<RowRange>> visibles{{{0, 1}}, {{0, 16}}, {{2, 7}, {9, 10}}, {{0, 33}, {40, 101}}};
  for (const auto& visible : visibles)
    for (const std::int64_t head_dim : {4, 16, 20, 64, 80, 128}) {
      const AttentionCase test(6, 2, head_dim, visible);
      const Floats got = same_on_every_isa([&] { return test.run(visible); });
      for (std::int64_t head = 0; head < 6; ++head)
        for (std::int64_t d = 0; d < head_dim; ++d)
          EXPECT_NEAR(got[head * head_dim + d], test.truth(head, d), 5e-6) << "head_dim " << head_dim;
    }
}

TEST(Attention, CappedScoresAgreeWithDoubleOnEveryIsa) {
  for (const std::int64_t head_dim : {4, 24, 64}) {
    AttentionCase test(4, 2, head_dim, {{1, 8}, {10, 31}});
    test.cap = 2;
    const Floats got = same_on_every_isa([&] { return test.run(test.visible); });
    for (std::int64_t head = 0; head < 4; ++head)
      for (std::int64_t d = 0; d < head_dim; ++d)
        EXPECT_NEAR(got[head * head_dim + d], test.truth(head, d), 5e-6) << "head_dim " << head_dim;
  }
}

TEST(Attention, TheCutIntoRangesDoesNotChangeBits) {
  const AttentionCase test(4, 4, 24, {{0, 23}});
  EXPECT_EQ(test.run({{0, 23}}), test.run({{0, 3}, {3, 4}, {4, 23}}));
}

TEST(Attention, LargeScoresDoNotOverflow) {
  AttentionCase test(1, 1, 16, {{0, 3}});
  for (int d = 0; d < 16; ++d) {
    test.q[d] = 1e3F;
    for (int row = 0; row < 3; ++row) test.k[row * test.ldkv + d] = row == 1 ? 1e3F : -1e3F;
  }
  const Floats got = test.run(test.visible);
  for (int d = 0; d < 16; ++d) EXPECT_EQ(got[d], test.v[test.ldkv + d]);
}

TEST(Attention, ANanInAVisibleKeyIsNotHidden) {
  for (const int row : {0, 5, 16}) {
    AttentionCase test(2, 2, 16, {{0, 17}});
    test.k[row * test.ldkv + 3] = kNaN;
    const Floats got = same_on_every_isa([&] { return test.run(test.visible); });
    for (int d = 0; d < 32; ++d) EXPECT_EQ(std::isnan(got[d]), d < 16);
  }
}

TEST(LogSumExp, AgreesWithDouble) {
  for (const std::int64_t count : {1, 2, 16, 17, 1023, 1025, 50000}) {
    const Floats x = Floats::random(count, 20.0F);
    const Floats got = same_on_every_isa([&] { return Floats{log_sum_exp(x.data(), count)}; });
    double total = 0;
    for (const float value : x) total += std::exp(static_cast<double>(value));
    EXPECT_NEAR(got[0], std::log(total), 2e-6) << count;
  }
}

TEST(LogSumExp, ManyEqualValuesLoseNoDigits) {
  const Floats x = Floats::filled(1 << 20, 0.0F);
  EXPECT_FLOAT_EQ(log_sum_exp(x.data(), 1 << 20), 20 * std::log(2.0F));
}

// Lanes missing in the last vector must not take part in the maximum.
TEST(LogSumExp, AllValuesFarBelowZero) {
  for (const std::int64_t count : {1, 16, 17}) {
    const Floats x = Floats::filled(count, -500.0F);
    for_each_isa([&] { EXPECT_FLOAT_EQ(log_sum_exp(x.data(), count), std::log(static_cast<float>(count)) - 500.0F); });
  }
}

TEST(LogSumExp, SpecialValues) {
  Floats x = Floats::filled(40, -kInfinity);
  x[20] = 500.0F;
  EXPECT_EQ(log_sum_exp(x.data(), 40), 500.0F);
  x[39] = kNaN;
  for_each_isa([&] { EXPECT_TRUE(std::isnan(log_sum_exp(x.data(), 40))); });
}

}  // namespace
}  // namespace qzo::kernels
