#include "qzo/kernels/quant_matmul.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/aligned.h"
#include "support/each_isa.h"
#include "support/floats.h"
#include "support/random_weight.h"

namespace qzo::kernels {
namespace {

using test::all_layouts;
using test::Floats;
using test::for_each_isa;
using test::layout_name;
using test::output_group_layouts;
using test::packed_layouts;
using test::RandomWeight;
using test::same_bits;
using test::value_layouts;
using test::WeightShape;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kUntouched = 12345.0F;

void quant_matmul(const MatmulProblem& problem) {
  const test::Aligned scratch(matmul_scratch_bytes(problem.weight));
  for (std::int64_t piece = 0; piece < matmul_pieces(problem.weight); ++piece)
    quant_matmul_piece(problem, piece, scratch.memory);
}

// x and y with strides wider than their rows: NaN behind each row of x and in two rows behind the last, y prefilled.
struct Operands {
  Operands(RandomWeight& weight, std::int64_t rows, std::int64_t split, bool with_bias) {
    const CodeView view = weight.view();
    problem.weight = view;
    problem.plus = weight.plus();
    problem.minus = weight.minus();
    problem.rows = rows;
    problem.split = split;
    problem.ldx = view.in + 3;
    problem.ldy = view.out + 5;
    x = weight.uniform_vector((rows + 2) * problem.ldx);
    for (std::int64_t row = 0; row < rows + 2; ++row)
      for (std::int64_t k = row < rows ? view.in : 0; k < problem.ldx; ++k) x[row * problem.ldx + k] = kNaN;
    y = Floats::filled((rows + 1) * problem.ldy, kUntouched);
    if (with_bias) bias = weight.uniform_vector(view.out);
    problem.x = x.data();
    problem.y = y.data();
    problem.bias = with_bias ? bias.data() : nullptr;
  }

  [[nodiscard]] float at(std::int64_t row, std::int64_t n) const { return y[row * problem.ldy + n]; }
  Floats run(void (*multiply)(const MatmulProblem&)) {
    std::ranges::fill(y, kUntouched);
    multiply(problem);
    return y;
  }

  Floats x, y, bias;
  MatmulProblem problem;
};

Floats dequantized(const CodeView& view, const ScaleView& scale) {
  Floats w = Floats::filled(view.out * view.in);
  dequantize_rows(view, scale, 0, view.out, w.data());
  return w;
}

// Rounding of a chain of K fused multiply-adds and the bias: |error| <= gamma * (sum |x w| + |bias|), gamma = (K+1) u /
// (1 - (K+1) u).
void expect_near_reference(const Operands& operands, const Floats& got, const Floats& truth) {
  const MatmulProblem& p = operands.problem;
  const Floats plus = dequantized(p.weight, p.plus);
  const Floats minus = dequantized(p.weight, p.minus);
  const double links = (static_cast<double>(p.weight.in) + 2) * 0x1p-24;
  const double gamma = links / (1 - links);
  for (std::int64_t row = 0; row < p.rows; ++row)
    for (std::int64_t n = 0; n < p.weight.out; ++n) {
      const float* w = (row < p.split ? plus : minus).data() + n * p.weight.in;
      double magnitude = p.bias != nullptr ? std::abs(p.bias[n]) : 0.0;
      for (std::int64_t k = 0; k < p.weight.in; ++k)
        magnitude += std::abs(static_cast<double>(p.x[row * p.ldx + k]) * w[k]);
      const std::int64_t i = row * p.ldy + n;
      ASSERT_NEAR(got[i], truth[i], gamma * magnitude) << "row " << row << " output " << n;
    }
}

void expect_rest_untouched(const Operands& operands, const Floats& got) {
  const MatmulProblem& p = operands.problem;
  for (std::int64_t row = 0; row <= p.rows; ++row)
    for (std::int64_t n = row < p.rows ? p.weight.out : 0; n < p.ldy; ++n)
      ASSERT_EQ(got[row * p.ldy + n], kUntouched) << "written outside the matrix at row " << row << " column " << n;
}

void check_all_isas(const WeightShape& shape, std::int64_t rows, std::int64_t split, bool with_bias) {
  SCOPED_TRACE(testing::Message() << layout_name(shape) << " out " << shape.out << " in " << shape.in << " rows "
                                  << rows << " split " << split);
  RandomWeight weight(shape);
  Operands operands(weight, rows, split, with_bias);
  const Floats truth = operands.run(reference_quant_matmul);
  Floats first;
  for_each_isa([&] {
    const Floats got = operands.run(quant_matmul);
    if (first.empty()) {
      first = got;
      expect_near_reference(operands, got, truth);
      expect_rest_untouched(operands, got);
    }
    ASSERT_TRUE(same_bits(first, got));
  });
}

TEST(QuantMatmul, EveryLayoutAndEdgeShapeOnEveryIsa) {
  for (const std::int64_t out : {1, 15, 16, 17, 33})
    for (const std::int64_t in : {32, 64, 96, 160, 768, 1056})
      for (const WeightShape& shape : all_layouts(out, in))
        for (const std::int64_t rows : {1, 5, 6, 7, 13}) {
          check_all_isas(shape, rows, rows / 2, rows % 2 == 0);
          if (HasFatalFailure()) return;
        }
}

TEST(QuantMatmul, LayoutsOfHuggingFaceFolders) {
  for (const std::int64_t out : {1, 16, 24, 33, 40})
    for (const std::int64_t in : {32, 96, 288}) {
      std::vector<WeightShape> shapes = packed_layouts(out, in);
      if (out % 8 == 0)
        for (const std::int64_t group : {8, 4})
          std::ranges::copy(output_group_layouts(out, in, group), std::back_inserter(shapes));
      for (const WeightShape& shape : shapes)
        for (const std::int64_t rows : {1, 7}) {
          check_all_isas(shape, rows, rows / 2, rows == 1);
          if (HasFatalFailure()) return;
        }
    }
}

TEST(QuantMatmul, SplitAtBothEnds) {
  for (const std::int64_t in : {288, 512})
    for (const WeightShape& shape : all_layouts(80, in))
      for (const std::int64_t split : {0, 13}) check_all_isas(shape, 13, split, true);
}

TEST(QuantMatmul, MoreRowsThanABlock) {
  for (const std::int64_t in : {288, 256})
    for (const WeightShape& shape : all_layouts(72, in)) check_all_isas(shape, 211, 103, true);
}

// bitsandbytes' blocks go on from row to row, so that a group may be as narrow as 8 inputs and a row end after a few.
TEST(QuantMatmul, TablesAndCodebooksWithRowsOfAnyMultipleOfEight) {
  for (const std::int64_t in : {8, 40, 264})
    for (const WeightShape& shape : value_layouts(35, in)) check_all_isas(shape, 7, 3, true);
}

// The promise of the header, literally.
TEST(QuantMatmul, EachElementIsOneChainOfFusedMultiplyAdds) {
  std::vector<WeightShape> shapes = all_layouts(33, 544);
  for (const WeightShape& shape : test::k_quants(33, 512)) shapes.push_back(shape);
  for (const WeightShape& shape : shapes) {
    SCOPED_TRACE(layout_name(shape));
    RandomWeight weight(shape);
    Operands operands(weight, 9, 4, true);
    const MatmulProblem& p = operands.problem;
    const Floats plus = dequantized(p.weight, p.plus);
    const Floats minus = dequantized(p.weight, p.minus);
    for_each_isa([&] {
      operands.run(quant_matmul);
      for (std::int64_t row = 0; row < p.rows; ++row)
        for (std::int64_t n = 0; n < p.weight.out; ++n) {
          const float* w = (row < p.split ? plus : minus).data() + n * p.weight.in;
          float chain = 0;
          for (std::int64_t k = 0; k < p.weight.in; ++k) chain = std::fma(p.x[row * p.ldx + k], w[k], chain);
          ASSERT_EQ(operands.at(row, n), chain + p.bias[n]);
        }
    });
  }
}

TEST(QuantMatmul, ARowDoesNotDependOnItsBatch) {
  RandomWeight weight({Layout::kQ4_1, 48, 320});
  Operands whole(weight, 29, 29, false);
  for_each_isa([&] {
    const Floats together = whole.run(quant_matmul);
    MatmulProblem part = whole.problem;
    std::ranges::fill(whole.y, kUntouched);
    for (const auto& [begin, count] : std::vector<std::pair<int, int>>{{0, 1}, {1, 5}, {6, 14}, {20, 2}, {22, 7}}) {
      part.x = whole.problem.x + begin * whole.problem.ldx;
      part.y = whole.problem.y + begin * whole.problem.ldy;
      part.rows = part.split = count;
      quant_matmul(part);
    }
    EXPECT_TRUE(same_bits(together, whole.y));
  });
}

TEST(QuantMatmul, NanStaysInItsRowAndIsNotHidden) {
  RandomWeight weight({Layout::kGptq4, 24, 64, 32});
  Operands operands(weight, 7, 3, false);
  operands.x[2 * operands.problem.ldx + 40] = kNaN;
  for_each_isa([&] {
    operands.run(quant_matmul);
    for (std::int64_t row = 0; row < 7; ++row)
      for (std::int64_t n = 0; n < 24; ++n) EXPECT_EQ(std::isnan(operands.at(row, n)), row == 2);
  });
}

TEST(QuantMatmul, NonFiniteScaleReachesItsOutputOnly) {
  RandomWeight weight({Layout::kQ8_0, 20, 64});
  Floats scales = Floats::filled(40, 0.5F);
  scales[2 * 17 + 1] = kNaN;
  Operands operands(weight, 3, 3, false);
  operands.problem.plus.scales = scales.data();
  for_each_isa([&] {
    operands.run(quant_matmul);
    for (std::int64_t n = 0; n < 20; ++n) EXPECT_EQ(std::isnan(operands.at(1, n)), n == 17);
  });
}

void expect_reference_weights(const WeightShape& shape) {
  SCOPED_TRACE(layout_name(shape));
  const std::int64_t out = shape.out, in = shape.in;
  const RandomWeight weight(shape);
  Floats identity = Floats::filled(in * in);
  for (std::int64_t k = 0; k < in; ++k) identity[k * in + k] = 1.0F;
  Floats transposed = Floats::filled(in * out);
  reference_quant_matmul({.weight = weight.view(),
                          .plus = weight.plus(),
                          .minus = {},
                          .x = identity.data(),
                          .ldx = in,
                          .rows = in,
                          .split = in,
                          .bias = nullptr,
                          .y = transposed.data(),
                          .ldy = out});
  for_each_isa([&] {
    for (const auto& [first, count] :
         std::vector<std::pair<std::int64_t, std::int64_t>>{{0, out}, {out - 1, 1}, {3, 17}, {16, 16}}) {
      Floats rows = Floats::filled(count * in + 1, kUntouched);
      dequantize_rows(weight.view(), weight.plus(), first, count, rows.data());
      for (std::int64_t n = 0; n < count; ++n)
        for (std::int64_t k = 0; k < in; ++k) ASSERT_EQ(rows[n * in + k], transposed[k * out + first + n]);
      EXPECT_EQ(rows.back(), kUntouched);
    }
  });
}

TEST(DequantizeRows, EqualsTheReferenceBitForBit) {
  for (const WeightShape& shape : all_layouts(35, 288)) expect_reference_weights(shape);
  for (const WeightShape& shape : test::k_quants(35, 512)) expect_reference_weights(shape);
  for (const WeightShape& shape : packed_layouts(40, 288)) expect_reference_weights(shape);
  for (const WeightShape& shape : output_group_layouts(40, 288, 8)) expect_reference_weights(shape);
}

// Bytes written out by hand, so that reference and kernels cannot share a misreading of a layout.
Floats decode_one_block(Layout layout, const std::vector<std::uint8_t>& bytes) {
  const float scale = 0.5F, offset = -3.0F;
  const CodeView view{
      .layout = layout, .out = 1, .in = 32, .group = 32, .codes = reinterpret_cast<const std::byte*>(bytes.data())};
  Floats w = Floats::filled(32);
  dequantize_rows(view, {&scale, &offset}, 0, 1, w.data());
  return w;
}

TEST(Layouts, Q4BlocksByHand) {
  std::vector<std::uint8_t> bytes(18, 0x00);
  bytes[2] = 0xF1;   // byte 0: input 0 low, input 16 high
  bytes[17] = 0x2A;  // byte 15: inputs 15 and 31
  Floats w = decode_one_block(Layout::kQ4_0, bytes);
  EXPECT_EQ(w[0], 0.5F * (1 - 8));
  EXPECT_EQ(w[16], 0.5F * (15 - 8));
  EXPECT_EQ(w[15], 0.5F * (10 - 8));
  EXPECT_EQ(w[31], 0.5F * (2 - 8));
  EXPECT_EQ(w[1], -4.0F);

  bytes.insert(bytes.begin(), 2, 0xEE);  // two more bytes of header
  w = decode_one_block(Layout::kQ4_1, bytes);
  EXPECT_EQ(w[0], 0.5F * 1 - 3);
  EXPECT_EQ(w[16], 0.5F * 15 - 3);
  EXPECT_EQ(w[15], 0.5F * 10 - 3);
  EXPECT_EQ(w[31], 0.5F * 2 - 3);
}

TEST(Layouts, Q8BlockByHand) {
  std::vector<std::uint8_t> bytes(34, 0x00);
  bytes[2] = 0x80;
  bytes[3] = 0x7F;
  bytes[33] = 0xFF;
  const Floats w = decode_one_block(Layout::kQ8_0, bytes);
  EXPECT_EQ(w[0], -64.0F);
  EXPECT_EQ(w[1], 63.5F);
  EXPECT_EQ(w[31], -0.5F);
}

TEST(Layouts, GptqWordsByHand) {
  // [in/8 = 4, out = 2]; word (i, n) holds inputs 8i to 8i+7 of output n, low nibble first.
  std::array<std::uint32_t, 8> words{};
  words[0 * 2 + 1] = 0x70000003;                         // output 1: input 0 is 3, input 7 is 7
  words[3 * 2 + 0] = 0xF0000000;                         // output 0: input 31 is 15
  const std::array<std::uint8_t, 4> zeros{8, 7, 1, 16};  // [groups = 2, out = 2]; 16: a v1 zero of 15
  const std::array<float, 4> scales{0.5F, 2.0F, 0.25F, 1.0F};
  const CodeView view{.layout = Layout::kGptq4,
                      .out = 2,
                      .in = 32,
                      .group = 16,
                      .codes = reinterpret_cast<const std::byte*>(words.data()),
                      .zeros = zeros.data()};
  const Floats w = dequantized(view, {scales.data(), nullptr});
  EXPECT_EQ(w[32 + 0], 2.0F * (3 - 7));
  EXPECT_EQ(w[32 + 7], 2.0F * (7 - 7));
  EXPECT_EQ(w[31], 0.25F * (15 - 1));
  EXPECT_EQ(w[0], 0.5F * (0 - 8));
  EXPECT_EQ(w[32 + 31], 1.0F * (0 - 16));
}

// Scales 1, zero points 0: the codes themselves, [out, in].
Floats codes_of(Layout layout, std::int64_t out, std::int64_t in, std::int64_t group, const void* bytes) {
  const Floats ones = Floats::filled(out * in, 1.0F), zeros = Floats::filled(out * in, 0.0F);
  const CodeView view{
      .layout = layout, .out = out, .in = in, .group = group, .codes = static_cast<const std::byte*>(bytes)};
  return dequantized(view, {ones.data(), has_offsets(layout) ? zeros.data() : nullptr});
}

TEST(Layouts, ThreeBitCodesStraddleWordsByHand) {
  // One output: 32 codes in three words. Input 10 has two bits in word 0 and one in word 1, input 21 one and two.
  const std::array<std::uint32_t, 3> words{5U | 1U << 30, 1U | 1U << 31 | 6U << 1, 2U | 7U << 29};
  const Floats w = codes_of(Layout::kGptq3, 1, 32, 32, words.data());
  EXPECT_EQ(w[0], 5);
  EXPECT_EQ(w[10], 1 + 4);
  EXPECT_EQ(w[11], 6);
  EXPECT_EQ(w[21], 1 + 2 * 2);
  EXPECT_EQ(w[31], 7);
}

TEST(Layouts, TwoAndEightBitGptqWordsByHand) {
  std::array<std::uint32_t, 16> words{};
  words[1] = 3U | 2U << 14 | 1U << 30;  // [in/16 = 1, out = 2] of 2 bits, output 1
  Floats w = codes_of(Layout::kGptq2, 2, 16, 16, words.data());
  EXPECT_EQ(w[16 + 0], 3);
  EXPECT_EQ(w[16 + 7], 2);
  EXPECT_EQ(w[16 + 15], 1);
  words[1] = 0;
  words[5] = 200U | 7U << 24;  // [in/4 = 4, out = 2] of 8 bits: inputs 8 to 11 of output 1
  w = codes_of(Layout::kGptq8, 2, 16, 16, words.data());
  EXPECT_EQ(w[16 + 8], 200);
  EXPECT_EQ(w[16 + 11], 7);
}

TEST(Layouts, AwqWordsByHand) {
  const std::array<std::uint32_t, 4> words{0x76543210, 0, 0, 0};  // [in = 4, out/8 = 1]
  const Floats w = codes_of(Layout::kAwq4, 8, 4, 4, words.data());
  const int expected[] = {0, 4, 1, 5, 2, 6, 3, 7};
  for (int n = 0; n < 8; ++n) EXPECT_EQ(w[n * 4], expected[n]) << "output " << n;
}

TEST(Layouts, RowsByHand) {
  const std::array<std::uint8_t, 8> bytes{0x21, 0x43, 0x65, 0x87, 0xA9, 0xCB, 0xED, 0x0F};
  Floats w = codes_of(Layout::kRows4, 2, 8, 8, bytes.data());
  EXPECT_EQ(w[0], 1);
  EXPECT_EQ(w[1], 2);
  EXPECT_EQ(w[8 + 6], 15);
  EXPECT_EQ(w[8 + 7], 0);
  for (const Layout layout : {Layout::kHqq4, Layout::kHqq4Axis0}) {
    w = codes_of(layout, 4, 4, layout == Layout::kHqq4 ? 4 : 2, bytes.data());
    EXPECT_EQ(w[0], 2);            // output 0: high nibbles of the first four bytes
    EXPECT_EQ(w[1 * 4 + 0], 0xA);  // output 1: of the others
    EXPECT_EQ(w[2 * 4 + 1], 3);    // output 2: low nibbles of the first four
    EXPECT_EQ(w[3 * 4 + 3], 0xF);
  }
  w = codes_of(Layout::kRows8, 2, 4, 4, bytes.data());
  EXPECT_EQ(w[1], 0x43);
  EXPECT_EQ(w[4], 0xA9);
}

TEST(Layouts, GroupsOfOutputsByHand) {
  // out 4 in groups of 2: outputs 0 and 2 share the scales of every input, and so do 1 and 3.
  const std::array<std::uint8_t, 16> bytes{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const std::array<float, 8> scales{1, 2, 3, 4, 5, 6, 7, 8}, offsets{};
  const CodeView view{.layout = Layout::kHqq8Axis0,
                      .out = 4,
                      .in = 4,
                      .group = 2,
                      .codes = reinterpret_cast<const std::byte*>(bytes.data())};
  const Floats w = dequantized(view, {scales.data(), offsets.data()});
  for (int k = 0; k < 4; ++k) {
    EXPECT_EQ(w[k], 1 + k);
    EXPECT_EQ(w[8 + k], 1 + k);
    EXPECT_EQ(w[4 + k], 5 + k);
    EXPECT_EQ(w[12 + k], 5 + k);
  }
}

TEST(Layouts, DenseHalfSpecialValues) {
  const std::array<std::uint16_t, 4> halves{0x0001, 0x7C00, 0xFE00, 0x8000};  // 2^-24, inf, NaN, -0
  const CodeView view{
      .layout = Layout::kDenseF16, .out = 1, .in = 4, .codes = reinterpret_cast<const std::byte*>(halves.data())};
  for_each_isa([&] {
    const Floats w = dequantized(view, {});
    EXPECT_EQ(w[0], 0x1p-24F);
    EXPECT_EQ(w[1], std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(w[2]));
    EXPECT_TRUE(w[3] == 0.0F && std::signbit(w[3]));
  });
}

}  // namespace
}  // namespace qzo::kernels
