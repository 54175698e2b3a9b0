#include "qzo/quant/formats/gguf_blocks.h"

#include <cmath>

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using testing::BlockLayer;
using testing::dequantized;
using testing::expect_user_error;
using testing::TempFolder;

class Blocks : public ::testing::TestWithParam<core::Dtype> {};

TEST_P(Blocks, DequantizeByDefinition) {
  const TempFolder folder;
  const BlockLayer layer(GetParam());
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  const PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  EXPECT_TRUE(weight.signed_scales);
  EXPECT_EQ(weight.scale_shape, (std::vector<std::int64_t>{3, 2}));
  const std::vector<float> values = dequantized(weight);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t block = i / 32;
    const double m = layer.has_minimum() ? core::half_to_float(core::float_to_half(layer.m[block])) : 0.0;
    const double d = core::half_to_float(core::float_to_half(layer.d[block]));
    EXPECT_NEAR(values[i], d * layer.codes[i] + m, m == 0.0 ? 0.0 : 5e-7) << "element " << i;
  }
}
INSTANTIATE_TEST_SUITE_P(Gguf, Blocks,
                         ::testing::Values(core::Dtype::kQ4_0, core::Dtype::kQ4_1, core::Dtype::kQ5_0,
                                           core::Dtype::kQ5_1, core::Dtype::kQ8_0));

TEST(GgufBlocks, ConstantGroupsAreListedUnderTheTiedRule) {
  const TempFolder folder;
  BlockLayer layer(core::Dtype::kQ4_1);
  layer.d[1] = 0.0F;
  layer.d[4] = -0.0F;
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  const PackedWeight tied = load_weight(checkpoint, layer.request(), {});
  EXPECT_EQ(tied.constant_groups, (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(tied.minimum[1], core::half_to_float(core::float_to_half(layer.m[1])));
  const std::vector<float> values = dequantized(tied);
  for (std::size_t i = 32; i < 64; ++i) EXPECT_EQ(values[i], tied.minimum[1]);

  const PackedWeight fixed = load_weight(checkpoint, layer.request(), {.minimum_rule = MinimumRule::kFixed});
  EXPECT_TRUE(fixed.constant_groups.empty());
  EXPECT_EQ(fixed.minimum[0], core::half_to_float(core::float_to_half(layer.m[0])));
}

TEST(GgufBlocks, NonFiniteNumbersAreRefusedByBlock) {
  const TempFolder folder;
  BlockLayer layer(core::Dtype::kQ4_1);
  layer.m[3] = INFINITY;
  const io::Checkpoint with_bad_m = layer.write(folder.path() / "m.gguf");
  expect_user_error([&] { load_weight(with_bad_m, layer.request(), {}); },
                    {"m.gguf: tensor \"proj.weight\"", "m of block 3 is inf"});
  layer.d[5] = NAN;
  const io::Checkpoint with_bad_d = layer.write(folder.path() / "d.gguf");
  expect_user_error([&] { load_weight(with_bad_d, layer.request(), {}); }, {"d of block 5 is nan"});
}

TEST(GgufBlocks, WithoutRowsAnyWidthIsRefused) {
  const TempFolder folder;
  BlockLayer layer(core::Dtype::kQ4_1);
  layer.out = 0;
  layer.in = std::size_t{1} << 40;
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  expect_user_error([&] { load_weight(checkpoint, layer.request(), {}); },
                    {"proj has 0 rows of 1099511627776 weights"});
}

TEST(GgufBlocks, OtherTypesShapesAndNamesAreRefused) {
  const TempFolder folder;
  testing::write_folder(folder.path(), "{}", {{"k.weight", {core::Dtype::kI8, {1, 256}, std::string(256, '\0')}}});
  const io::Checkpoint integers = io::open_checkpoint(folder.path());
  expect_user_error(
      [&] {
        load_weight(integers, {"k", 1, 256}, {});
      },
      {"tensor \"k.weight\" of type I8 is not supported", "q4_0, q4_1, q5_0, q5_1, q8_0, q4_k"});
  expect_user_error([&] { load_weight(integers, {"absent", 1, 256}, {}); }, {"\"absent.weight\" is missing"});

  const BlockLayer layer(core::Dtype::kQ4_0);
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  expect_user_error([&] { load_weight(checkpoint, {"proj", 64, 3}, {}); }, {"[3, 64]", "[64, 3]"});
}

}  // namespace
}  // namespace qzo::quant
