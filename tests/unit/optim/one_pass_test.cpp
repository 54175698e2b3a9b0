// AdamW on 4-bit moments in one pass against its parts: decode_state, the rule element by element, encode_state.

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "qzo/core/half.h"
#include "qzo/kernels/optim_step.h"
#include "qzo/optim/state_codec.h"

#include "support/each_isa.h"

namespace qzo::optim {
namespace {

using Floats = std::vector<float>;
constexpr kernels::AdamwRule kRule;
constexpr double kDecay = 0.999, kStep = 0.01, kRoot = 1.5;

struct Case {
  kernels::StateCodec m = kSigned4, v;
  std::vector<std::int64_t> shape;
  Floats theta;
  StateTensor first, second;

  Case(const kernels::StateCodec& codec, std::vector<std::int64_t> of)
      : v(codec), shape(std::move(of)), first("m", kSigned4, shape), second("v", codec, shape) {
    std::int64_t count = 1;
    for (const std::int64_t dimension : shape) count *= dimension;
    for (std::int64_t i = 0; i < count; ++i) theta.push_back(static_cast<float>(i % 17) - 8);
  }

  void one_pass(const Floats& g, core::Dtype dtype = core::Dtype::kF32, const void* gradient = nullptr) {
    kernels::AdamwTensor tensor;
    tensor.parameter = {static_cast<std::int64_t>(theta.size()),
                        core::Dtype::kF32,
                        theta.data(),
                        dtype,
                        gradient == nullptr ? g.data() : gradient,
                        0};
    tensor.m = first.view();
    tensor.v = second.view();
    tensor.decay = kDecay;
    tensor.step = kStep;
    tensor.root = kRoot;
    kernels::adamw_step({&tensor, 1}, kRule, {});
  }

  void parts(const Floats& g) {
    const auto f = [](double x) { return static_cast<float>(x); };
    Floats m_now(theta.size()), v_now(theta.size());
    kernels::decode_state(first.view(), m_now.data());
    kernels::decode_state(second.view(), v_now.data());
    for (std::size_t i = 0; i < theta.size(); ++i) {
      m_now[i] = std::fma(f(1 - kRule.beta1), g[i], f(kRule.beta1) * m_now[i]);
      v_now[i] = std::fma(f(1 - kRule.beta2) * g[i], g[i], f(kRule.beta2) * v_now[i]);
      const float denominator = std::fma(std::sqrt(v_now[i]), f(kRoot), f(kRule.eps));
      theta[i] = std::fma(-f(kStep), m_now[i] / denominator, theta[i] * f(kDecay));
    }
    kernels::encode_state(first.view(), m_now.data());
    kernels::encode_state(second.view(), v_now.data());
  }

  [[nodiscard]] std::vector<std::byte> bits() {
    std::vector<std::byte> all(theta.size() * sizeof(float));
    std::memcpy(all.data(), theta.data(), all.size());
    for (StateTensor* state : {&first, &second})
      for (const StatePart& part : state->parts()) all.insert(all.end(), part.bytes.begin(), part.bytes.end());
    return all;
  }
};

struct Shape {
  kernels::StateCodec codec;
  std::vector<std::int64_t> shape;
};
// Whole blocks and rows, remainders, rows that are no whole blocks, more than one piece, more than two axes.
const std::vector<Shape> kShapes = {
    {kBlockLinear4, {128}},          {kBlockLinear4, {127}},         {kBlockLinear4, {256}},
    {kBlockLinear4, {5000}},         {kBlockLinear4, {300, 500}},    {kRank1Linear4, {40, 256}},
    {kRank1Linear4, {7, 5, 128}},    {kRank1Linear4, {33, 70}},      {kRank1Linear4, {385}},
    {kRank1Linear4, {130, 9 * 128}}, {kRank1Linear4, {2, 2, 3, 384}}};

using Gradient = std::function<float(std::size_t i, std::mt19937& random)>;

void agrees(const Gradient& gradient) {
  for (const Shape& shape : kShapes) {
    Case reference(shape.codec, shape.shape);
    std::vector<Floats> gradients;
    std::mt19937 random(3);
    for (int step = 0; step < 3; ++step) {
      Floats g(reference.theta.size());
      for (std::size_t i = 0; i < g.size(); ++i) g[i] = gradient(i, random);
      reference.parts(g);
      gradients.push_back(g);
    }
    test::for_each_isa([&] {
      Case made(shape.codec, shape.shape);
      for (const Floats& g : gradients) made.one_pass(g);
      EXPECT_EQ(made.bits(), reference.bits()) << ::testing::PrintToString(shape.shape);
    });
  }
}

float normal(std::mt19937& random) { return std::normal_distribution<float>()(random); }

TEST(OnePass, random_gradients) {
  agrees([](std::size_t, std::mt19937& random) { return normal(random); });
}
TEST(OnePass, gradients_over_many_magnitudes) {
  agrees([](std::size_t, std::mt19937& random) { return std::pow(normal(random), 9.0F); });
}
// Few values make quotients that lie on midpoints, or one unit beside them.
TEST(OnePass, quotients_on_midpoints) {
  agrees([](std::size_t i, std::mt19937& random) {
    constexpr float kMiddle[] = {0.00275F, 0.019F, 0.055F, 0.145F, 0.325F, 0.55F, 0.775F, 0.94375F, 1};
    const float value = i % 128 == 0 ? 1 : kMiddle[random() % 9];
    const auto nudged = std::nextafter(value, static_cast<float>(random() % 3));
    return random() % 2 == 0 ? value : random() % 2 == 0 ? -value : nudged;
  });
}
TEST(OnePass, squares_on_midpoints) {
  agrees([](std::size_t i, std::mt19937& random) {
    return i % 128 == 0 ? 1 : std::sqrt((static_cast<float>(random() % 15) + 1.5F) / 16);
  });
}
TEST(OnePass, zero_blocks_rows_and_columns) {
  agrees([](std::size_t i, std::mt19937& random) {
    return i / 256 % 3 == 0 || i % 128 < 2 || i < 4000 ? (i % 2 == 0 ? 0.0F : -0.0F) : normal(random);
  });
}
TEST(OnePass, scales_without_a_reciprocal) {
  agrees([](std::size_t i, std::mt19937& random) { return normal(random) * (i < 1000 ? 1e-18F : 1e-30F); });
  agrees([](std::size_t, std::mt19937& random) { return normal(random) * 1e-22F; });
  agrees([](std::size_t, std::mt19937& random) { return normal(random) * 1e16F; });
}

TEST(OnePass, bfloat16_gradients) {
  for (const Shape& shape : kShapes) {
    Case reference(shape.codec, shape.shape), made(shape.codec, shape.shape);
    std::mt19937 random(5);
    std::vector<std::uint16_t> halves(made.theta.size());
    Floats widened(made.theta.size());
    for (std::size_t i = 0; i < halves.size(); ++i) {
      const float value = normal(random);
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      halves[i] = static_cast<std::uint16_t>(bits >> 16);
      widened[i] = core::bfloat16_to_float(halves[i]);
    }
    reference.parts(widened);
    made.one_pass({}, core::Dtype::kBF16, halves.data());
    EXPECT_EQ(made.bits(), reference.bits());
  }
}

// The same with second moments of a row times a column: the published factors of this step, then the parts.
TEST(OnePass, factored_second_moments) {
  const auto f = [](double x) { return static_cast<float>(x); };
  struct Matrices {
    std::int64_t batch, rows, columns;
  };
  for (const Matrices& of : {Matrices{3, 5, 128}, Matrices{1, 130, 9 * 128}, Matrices{2, 70, 1024}}) {
    const std::vector<std::int64_t> shape = {of.batch, of.rows, of.columns};
    test::for_each_isa([&] {
      std::mt19937 random(5);
      Case made(kBlockLinear4, shape), reference(kBlockLinear4, shape);
      Floats row(static_cast<std::size_t>(of.batch * of.rows)), column(static_cast<std::size_t>(of.batch * of.columns));
      Floats m(made.theta.size()), g(made.theta.size());
      for (int step = 0; step < 2; ++step) {
        for (float& value : g) value = normal(random);
        kernels::FactorTensor tensor;
        tensor.parameter = {
            static_cast<std::int64_t>(g.size()), core::Dtype::kF32, made.theta.data(), core::Dtype::kF32, g.data(), 0};
        tensor.m = made.first.view();
        tensor.v = {of.batch, of.rows, of.columns, row.data(), column.data()};
        tensor.decay = kDecay;
        tensor.step = kStep;
        tensor.root = kRoot;
        kernels::factor_step({&tensor, 1}, kRule, {});
        kernels::decode_state(reference.first.view(), m.data());
        Floats means;
        for (auto from = row.begin(); from != row.end(); from += of.rows)
          means.push_back(f(std::accumulate(from, from + of.rows, 0.0) / static_cast<double>(of.rows)));
        for (std::size_t i = 0; i < g.size(); ++i) {
          const std::size_t r = i / static_cast<std::size_t>(of.columns),
                            matrix = r / static_cast<std::size_t>(of.rows);
          const float share = row[r] / means[matrix];
          const std::size_t c =
              matrix * static_cast<std::size_t>(of.columns) + i % static_cast<std::size_t>(of.columns);
          const float v = share * column[c];
          m[i] = std::fma(f(1 - kRule.beta1), g[i], f(kRule.beta1) * m[i]);
          const float denominator = std::fma(std::sqrt(v), f(kRoot), f(kRule.eps));
          reference.theta[i] = std::fma(-f(kStep), m[i] / denominator, reference.theta[i] * f(kDecay));
        }
        kernels::encode_state(reference.first.view(), m.data());
      }
      EXPECT_EQ(made.bits(), reference.bits()) << ::testing::PrintToString(shape);
    });
  }
}

// Squares beyond the largest float: the second moment stays infinite, its weight rests, its neighbours too (their share
// of an infinite scale is the smallest code); nothing becomes a NaN, and every instruction set agrees.
TEST(OnePass, infinite_second_moments) {
  for (const Shape& shape : kShapes) {
    std::vector<std::byte> first;
    test::for_each_isa([&] {
      Case made(shape.codec, shape.shape);
      Floats g(made.theta.size(), 0.5F);
      g[g.size() / 2] = 3e38F;
      made.one_pass(g);
      for (const float value : made.theta) ASSERT_FALSE(std::isnan(value));
      if (first.empty()) first = made.bits();
      EXPECT_EQ(made.bits(), first);
    });
  }
}

}  // namespace
}  // namespace qzo::optim
