#include "qzo/kernels/scale_late.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "qzo/kernels/quant_matmul.h"

#include "support/aligned.h"
#include "support/each_isa.h"
#include "support/floats.h"
#include "support/random_weight.h"

namespace qzo::kernels {
namespace {

using test::Aligned;
using test::Floats;
using test::for_each_isa;
using test::layout_name;
using test::RandomWeight;
using test::same_bits;
using test::WeightShape;

constexpr LateInputs kAllInputs[] = {LateInputs::kBf16, LateInputs::kBf16x2, LateInputs::kInt8};
constexpr float kUntouched = 12345.0F;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Prepares the rows of `problem` (x, ldx) and multiplies them, all pieces. The reference's problem says the rest.
void late_matmul(const MatmulProblem& problem, LateInputs inputs) {
  const ChunkPlan plan = make_chunk_plan(problem.weight);
  const std::int64_t row_bytes = late_row_bytes(problem.weight, plan, inputs);
  const Aligned prepared(static_cast<std::size_t>(row_bytes * problem.rows) + 64), scratch(late_scratch_bytes());
  late_prepare(problem.weight, plan, inputs, problem.x, problem.ldx, problem.rows, prepared.bytes());
  const LateProblem late{.weight = problem.weight,
                         .plan = plan,
                         .inputs = inputs,
                         .plus = problem.plus,
                         .minus = problem.minus,
                         .x = prepared.bytes(),
                         .rows = problem.rows,
                         .split = problem.split,
                         .bias = problem.bias,
                         .y = problem.y,
                         .ldy = problem.ldy};
  for (std::int64_t piece = 0; piece < late_pieces(problem.weight); ++piece)
    late_matmul_piece(late, piece, scratch.memory);
}

// x with a stride wider than its rows (NaN behind each), y prefilled: nothing outside may be read or written.
struct Case {
  Case(RandomWeight& weight_, std::int64_t rows_, std::int64_t split_, bool with_bias)
      : weight(weight_), rows(rows_), split(split_), ldx(weight.view().in + 3), ldy(weight.view().out + 5) {
    x = weight.uniform_vector(rows * ldx);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t k = weight.view().in; k < ldx; ++k) x[row * ldx + k] = kNaN;
    if (with_bias) bias = weight.uniform_vector(weight.view().out);
    find_truth();
  }

  void find_truth() {
    expected = Floats::filled((rows + 1) * ldy, kUntouched);
    reference_quant_matmul(problem(expected));
  }

  [[nodiscard]] MatmulProblem problem(Floats& y) const {
    return {.weight = weight.view(),
            .plus = weight.plus(),
            .minus = weight.minus(),
            .x = x.data(),
            .ldx = ldx,
            .rows = rows,
            .split = split,
            .bias = bias.empty() ? nullptr : bias.data(),
            .y = y.data(),
            .ldy = ldy};
  }

  [[nodiscard]] Floats late(LateInputs inputs) const {
    Floats y = Floats::filled((rows + 1) * ldy, kUntouched);
    late_matmul(problem(y), inputs);
    return y;
  }

  // Root of the mean square of the difference over that of the truth; untouched elements must agree exactly.
  [[nodiscard]] double error(const Floats& y) const {
    double difference = 0, size = 0;
    for (std::int64_t i = 0; i < std::ssize(y); ++i) {
      if (expected[i] == kUntouched) {
        EXPECT_EQ(y[i], kUntouched) << "element " << i << " was written";
        continue;
      }
      difference += std::pow(static_cast<double>(y[i]) - static_cast<double>(expected[i]), 2);
      size += std::pow(static_cast<double>(expected[i]), 2);
    }
    return std::sqrt(difference / size);
  }

  RandomWeight& weight;
  std::int64_t rows, split, ldx, ldy;
  Floats x, bias, expected;
};

// What rounding of the activations (and of fractions) allows: 2^-9 relative for bf16, 2^-17 for two parts; int8 steps
// of max / 127. Over as few as eight outputs, whose terms may cancel.
double tolerance(LateInputs inputs) {
  switch (inputs) {
    case LateInputs::kBf16:
      return 5e-3;
    case LateInputs::kBf16x2:
      return 1e-5;
    case LateInputs::kInt8:
      return 1.2e-2;
  }
  return 0;
}

std::vector<WeightShape> shapes(std::int64_t out, std::int64_t in) {
  using enum Layout;
  std::vector<WeightShape> all = {
      {kGptq4, out, in, 32}, {kGptq4, out, in, 64},        {kGptq4, out, in, 128}, {kGptq4, out, in, in},
      {kGptq4, out, in, 20}, {kGptq4, out, in, 32, true},  {kQ4_0, out, in},       {kQ4_1, out, in},
      {kQ8_0, out, in},      {kGptq4, out, in, 128, true}, {kQ5_0, out, in},       {kQ5_1, out, in}};
  for (const WeightShape& shape : test::k_quants(out, 768)) all.push_back(shape);
  for (const WeightShape& shape : test::value_layouts(out, in)) all.push_back(shape);
  for (const WeightShape& shape : test::packed_layouts(out, in)) all.push_back(shape);
  return all;
}

TEST(ScaleLate, EveryLayoutAndModeAgreesWithDouble) {
  for (const std::int64_t rows : {1, 2, 7, 61})
    for (const std::int64_t out : {8, 40, 72})
      for (const WeightShape& shape : shapes(out, 672)) {
        RandomWeight weight(shape);
        const Case test(weight, rows, rows / 2, rows % 2 == 1);
        for_each_isa([&] {
          for (const LateInputs inputs : kAllInputs) {
            if (!scale_late_supported(weight.view(), inputs)) continue;
            EXPECT_LT(test.error(test.late(inputs)), tolerance(inputs))
                << layout_name(shape) << ' ' << rows << " rows, " << out << " outputs, mode "
                << static_cast<int>(inputs);
          }
        });
      }
}

TEST(ScaleLate, GroupsThatDoNotDivideTheInputs) {
  for_each_isa([] {
    RandomWeight weight({Layout::kGptq4, 24, 168, 128});
    const Case test(weight, 9, 4, true);
    for (const LateInputs inputs : kAllInputs) EXPECT_LT(test.error(test.late(inputs)), tolerance(inputs));
  });
}

TEST(ScaleLate, ConstantZeroPointEqualsTheSameZerosSpelledOut) {
  for_each_isa([] {
    RandomWeight weight({Layout::kGptq4, 40, 256, 64});
    CodeView constant = weight.view();
    constant.zeros = nullptr;
    constant.zero = 7;
    const std::vector<std::uint8_t> sevens(40 * 4, 7);
    CodeView spelled = weight.view();
    spelled.zeros = sevens.data();
    const Floats x = weight.uniform_vector(5 * 256);
    const auto run = [&](const CodeView& view, LateInputs inputs) {
      Floats y = Floats::filled(5 * 40);
      late_matmul({.weight = view,
                   .plus = weight.plus(),
                   .minus = weight.plus(),
                   .x = x.data(),
                   .ldx = 256,
                   .rows = 5,
                   .split = 5,
                   .y = y.data(),
                   .ldy = 40},
                  inputs);
      return y;
    };
    EXPECT_TRUE(same_bits(run(constant, LateInputs::kBf16), run(spelled, LateInputs::kBf16)));
    const Floats a = run(constant, LateInputs::kInt8), b = run(spelled, LateInputs::kInt8);
    for (std::int64_t i = 0; i < std::ssize(a); ++i) EXPECT_NEAR(a[i], b[i], 1e-5);
  });
}

TEST(ScaleLate, ARowDoesNotDependOnTheOthersOrOnItsPlace) {
  for_each_isa([] {
    for (const WeightShape& shape : shapes(40, 672)) {
      RandomWeight weight(shape);
      const Case together(weight, 55, 20, true);
      for (const LateInputs inputs : kAllInputs) {
        if (!scale_late_supported(weight.view(), inputs)) continue;
        const Floats all = together.late(inputs);
        for (const std::int64_t row : {0, 19, 20, 54}) {
          Case alone(weight, 1, row < 20 ? 1 : 0, false);
          alone.bias = together.bias;
          std::copy_n(&together.x[row * together.ldx], together.ldx, alone.x.data());
          const Floats one = alone.late(inputs);
          for (std::int64_t n = 0; n < 40; ++n)
            EXPECT_EQ(one[n], all[row * together.ldy + n]) << layout_name(shape) << " row " << row;
        }
      }
    }
  });
}

// Codes and activations at their ends: 16-bit sums must not overflow.
TEST(ScaleLate, LargestByteCodesAndActivationsAreExact) {
  const std::vector<std::byte> codes(128 * 8, std::byte{255});
  const Floats ones = Floats::filled(8, 1.0F), nothing = Floats::filled(8, 0.0F);
  const Floats x = Floats::filled(128, 127.0F);
  for (const Layout layout : {Layout::kGptq8, Layout::kRows8, Layout::kHqq8}) {
    const CodeView view{.layout = layout, .out = 8, .in = 128, .group = 128, .codes = codes.data()};
    const ScaleView scale{ones.data(), has_offsets(layout) ? nothing.data() : nullptr};
    for_each_isa([&] {
      Floats y = Floats::filled(8);
      late_matmul({.weight = view,
                   .plus = scale,
                   .minus = scale,
                   .x = x.data(),
                   .ldx = 128,
                   .rows = 1,
                   .split = 1,
                   .y = y.data(),
                   .ldy = 8},
                  LateInputs::kInt8);
      for (std::int64_t n = 0; n < 8; ++n) EXPECT_EQ(y[n], 255.0F * 127.0F * 128.0F);
    });
  }
}

// Integer sums are exact and the chain over chunks is written out, so int8 has the same bits everywhere; the float
// kernels where there is no bf16 instruction.
TEST(ScaleLate, SameBitsForEveryInstructionSet) {
  for (const WeightShape& shape : shapes(72, 672)) {
    RandomWeight weight(shape);
    const Case test(weight, 29, 13, true);
    for (const LateInputs inputs : kAllInputs) {
      if (!scale_late_supported(weight.view(), inputs)) continue;
      set_active_isa(Isa::kPortable);
      const Floats portable = test.late(inputs);
      for_each_isa([&] {
        if (active_isa() == Isa::kAvx512Bf16 && inputs != LateInputs::kInt8) return;
        EXPECT_TRUE(same_bits(test.late(inputs), portable)) << layout_name(shape) << ' ' << static_cast<int>(inputs);
      });
    }
  }
}

TEST(ScaleLate, TwoPartsAreExactForSixteenBitActivations) {
  for_each_isa([] {
    RandomWeight weight({Layout::kQ4_0, 16, 64});
    Case test(weight, 3, 3, false);
    for (std::int64_t row = 0; row < 3; ++row)
      for (std::int64_t k = 0; k < 64; ++k)
        test.x[row * test.ldx + k] =
            static_cast<float>(static_cast<int>((row * 64 + k) * 2654435761U % 65535U) - 32767);
    test.find_truth();
    EXPECT_LT(test.error(test.late(LateInputs::kBf16x2)), 2e-7);
  });
}

TEST(ScaleLate, NonFiniteActivationsStayNonFinite) {
  for_each_isa([] {
    RandomWeight weight({Layout::kQ4_1, 40, 256});
    for (const float bad : {kNaN, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
      Case test(weight, 4, 2, false);
      test.x[2 * test.ldx + 100] = bad;
      for (const LateInputs inputs : kAllInputs) {
        const Floats y = test.late(inputs);
        for (std::int64_t n = 0; n < 40; ++n) {
          EXPECT_FALSE(std::isfinite(y[2 * test.ldy + n])) << bad << " was hidden";
          EXPECT_TRUE(std::isfinite(y[1 * test.ldy + n])) << "another row was spoiled";
        }
      }
    }
  });
}

TEST(ScaleLate, TinyAndZeroActivations) {
  for_each_isa([] {
    RandomWeight weight({Layout::kGptq4, 16, 128, 32});
    Case test(weight, 2, 1, false);
    for (std::int64_t k = 0; k < 128; ++k) {
      test.x[k] = 0.0F;
      test.x[test.ldx + k] = k % 2 == 0 ? 1e-40F : -1e-33F;
    }
    for (const LateInputs inputs : kAllInputs) {
      const Floats y = test.late(inputs);
      for (std::int64_t n = 0; n < 16; ++n) {
        EXPECT_EQ(y[n], 0.0F);
        EXPECT_LT(std::abs(y[test.ldy + n]), 1e-29F);
      }
    }
  });
}

TEST(ScaleLate, DenseWeightsAndGroupsOfOutputsAreNotSupported) {
  for (const auto layout : {Layout::kDenseF32, Layout::kDenseF16, Layout::kDenseBF16}) {
    RandomWeight weight({layout, 8, 32});
    for (const LateInputs inputs : kAllInputs) EXPECT_FALSE(scale_late_supported(weight.view(), inputs));
  }
  for (const WeightShape& shape : test::output_group_layouts(8, 32, 4)) {
    RandomWeight weight(shape);
    for (const LateInputs inputs : kAllInputs) EXPECT_FALSE(scale_late_supported(weight.view(), inputs));
  }
}

TEST(ScaleLate, FractionsHaveNoIntegerProduct) {
  for (const WeightShape& shape : test::value_layouts(8, 64)) {
    RandomWeight weight(shape);
    EXPECT_FALSE(scale_late_supported(weight.view(), LateInputs::kInt8)) << layout_name(shape);
    EXPECT_TRUE(scale_late_supported(weight.view(), LateInputs::kBf16)) << layout_name(shape);
    EXPECT_TRUE(scale_late_supported(weight.view(), LateInputs::kBf16x2)) << layout_name(shape);
  }
}

// Signed bytes at both ends, a row of each.
TEST(ScaleLate, SignedBytesAtTheirEndsAreExact) {
  std::vector<std::byte> codes(2 * 34, std::byte{0x80});
  std::fill(codes.begin() + 34, codes.end(), std::byte{0x7f});
  const Floats ones = Floats::filled(2, 1.0F), x = Floats::filled(32, 127.0F);
  const CodeView view{.layout = Layout::kQ8_0, .out = 2, .in = 32, .group = 32, .codes = codes.data()};
  const ScaleView scale{.scales = ones.data()};
  for_each_isa([&] {
    Floats y = Floats::filled(2);
    const MatmulProblem problem{.weight = view,
                                .plus = scale,
                                .minus = scale,
                                .x = x.data(),
                                .ldx = 32,
                                .rows = 1,
                                .split = 1,
                                .y = y.data(),
                                .ldy = 2};
    for (const LateInputs inputs : kAllInputs) {
      late_matmul(problem, inputs);
      EXPECT_EQ(y[0], -128.0F * 127.0F * 32.0F) << static_cast<int>(inputs);
      EXPECT_EQ(y[1], 127.0F * 127.0F * 32.0F) << static_cast<int>(inputs);
    }
  });
}

// 32 inputs in a row with the largest codes and activations: what 16-bit sums of products must not exceed.
TEST(ScaleLate, TheLargestCodesDoNotOverflow) {
  const std::vector<std::byte> ones(2 * 256, std::byte{0xff});
  const Floats scales = Floats::filled(64, 1.0F), offsets = Floats::filled(64, 0.0F);
  using enum Layout;
  for (const Layout layout : {kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ4_K, kQ5_K, kQ6_K}) {
    const CodeView view{
        .layout = layout, .out = 1, .in = 256, .group = layout == kQ6_K ? 16 : 32, .codes = ones.data()};
    for_each_isa([&] {
      const Floats x = Floats::filled(256, 127.0F);
      const ScaleView scale{scales.data(), has_offsets(layout) ? offsets.data() : nullptr};
      float y = 0, truth = 0;
      MatmulProblem problem{.weight = view,
                            .plus = scale,
                            .minus = scale,
                            .x = x.data(),
                            .ldx = 256,
                            .rows = 1,
                            .split = 1,
                            .y = &y,
                            .ldy = 1};
      late_matmul(problem, LateInputs::kInt8);
      problem.y = &truth;
      reference_quant_matmul(problem);
      EXPECT_EQ(y, truth) << "layout " << static_cast<int>(layout);
    });
  }
}

}  // namespace
}  // namespace qzo::kernels
