#include <cmath>
#include <limits>

#include "qzo/quant/packed_weight.h"

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using testing::BlockLayer;
using testing::GptqLayer;
using testing::read_bytes;
using testing::TempFolder;

float half_of(float value) { return core::half_to_float(core::float_to_half(value)); }

float written(const io::FieldWrite& write, std::size_t index) {
  std::uint16_t bits;
  std::memcpy(&bits, write.values.data() + 2 * index, 2);
  return core::half_to_float(bits);
}

class UntouchedBlocks : public ::testing::TestWithParam<std::tuple<core::Dtype, MinimumRule>> {};

// d and m with every kind of value that rounding could lose: -0, subnormals, the largest half, minima that
// d * (m/d) does not give back.
TEST_P(UntouchedBlocks, ExportToTheSameBytes) {
  const auto [dtype, rule] = GetParam();
  const TempFolder folder;
  BlockLayer layer(dtype);
  layer.d = {-0.0F, 0x1p-24F, -0x1.8p-16F, 65504.0F, 0.0F, -0.333F};
  layer.m = {-0.0F, 65504.0F, 0x1p-24F, -1.7F, 12.3F, 0.7F};
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  const PackedWeight weight = load_weight(checkpoint, layer.request(), {.minimum_rule = rule});
  RoundingCount count;
  const std::vector<io::FieldWrite> writes = scale_writes(weight, &count);
  io::export_checkpoint(checkpoint, writes, folder.path() / "b.gguf");
  EXPECT_EQ(read_bytes(folder.path() / "a.gguf"), read_bytes(folder.path() / "b.gguf"));
  EXPECT_EQ(count.became_zero + count.became_subnormal + count.changed_sign, 0);
}
INSTANTIATE_TEST_SUITE_P(ScaleWrites, UntouchedBlocks,
                         ::testing::Combine(::testing::Values(core::Dtype::kQ4_0, core::Dtype::kQ4_1,
                                                              core::Dtype::kQ5_0, core::Dtype::kQ5_1,
                                                              core::Dtype::kQ8_0),
                                            ::testing::Values(MinimumRule::kTied, MinimumRule::kFixed)));

TEST(ScaleWrites, UntouchedGptqExportsToTheSameBytes) {
  const TempFolder folder;
  GptqLayer layer;
  layer.scales[0] = 0x1p-24F;
  layer.scales[1] = -0.0F;
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a");
  const PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  io::export_checkpoint(checkpoint, scale_writes(weight), folder.path() / "b");
  EXPECT_EQ(read_bytes(folder.path() / "a" / "model.safetensors"),
            read_bytes(folder.path() / "b" / "model.safetensors"));
}

// One layer in every format of Hugging Face folders.
struct Stored {
  const char* format;
  test::StoredTensors (*tensors)(const test::PackedLayer& layer);
  const char* settings;
  const char* scales;
};
void PrintTo(const Stored& stored, std::ostream* out) { *out << stored.format; }

const Stored kStored[] = {
    {"gptq", [](const test::PackedLayer& layer) { return test::gptq_tensors(layer, "proj", true); },
     R"("quant_method": "gptq", "bits": 4, "group_size": 16, "sym": false)", "proj.scales"},
    {"awq", [](const test::PackedLayer& layer) { return test::awq_tensors(layer, "proj"); },
     R"("quant_method": "awq", "bits": 4, "group_size": 16)", "proj.scales"},
    {"compressed-tensors", [](const test::PackedLayer& layer) { return test::compressed_tensors(layer, "proj"); },
     R"("quant_method": "compressed-tensors", "config_groups": {})", "proj.weight_scale"},
    {"hqq", [](const test::PackedLayer& layer) { return test::as_hqq(layer).tensors("proj"); },
     R"("quant_method": "hqq")", "proj.scale"}};

class StoredFormats : public ::testing::TestWithParam<Stored> {};
INSTANTIATE_TEST_SUITE_P(ScaleWrites, StoredFormats, ::testing::ValuesIn(kStored),
                         [](const auto& test) { return std::to_string(test.index); });

TEST_P(StoredFormats, ExportChangesMovedScalesAndNothingElse) {
  const TempFolder folder;
  test::PackedLayer layer = testing::random_layer(48, 16, 24, 4, 5);
  layer.scales[0] = 0x1p-24F;
  testing::write_folder(folder.path() / "a", testing::config_of(GetParam().settings), GetParam().tensors(layer));
  const io::Checkpoint checkpoint = io::open_checkpoint(folder.path() / "a");
  PackedWeight weight = load_weight(checkpoint, testing::request_of(24, 48), {});
  EXPECT_EQ(weight.format, GetParam().format);
  const std::vector<io::ScaleField> fields = scale_fields(checkpoint);
  ASSERT_EQ(fields.size(), 1u);
  EXPECT_EQ(fields[0].tensor, GetParam().scales);
  EXPECT_EQ(fields[0].count, 72);
  io::export_checkpoint(checkpoint, scale_writes(weight), folder.path() / "b");
  EXPECT_TRUE(io::diff_checkpoints(checkpoint, io::open_checkpoint(folder.path() / "b"), fields).identical());

  weight.scales[5] *= 1.3F;
  io::export_checkpoint(checkpoint, scale_writes(weight), folder.path() / "c");
  const io::Checkpoint tuned = io::open_checkpoint(folder.path() / "c");
  const io::DiffReport report = io::diff_checkpoints(checkpoint, tuned, fields);
  EXPECT_TRUE(report.scales_only());
  ASSERT_EQ(report.tensors.size(), 1u);
  EXPECT_EQ(report.tensors[0].tensor, GetParam().scales);
  EXPECT_LE(report.tensors[0].bytes, 2);
  const PackedWeight back = load_weight(tuned, testing::request_of(24, 48), {});
  EXPECT_EQ(testing::dequantized(back), testing::dequantized(weight, {.rounded = true}));
}

TEST(ScaleWrites, OnlyMovedGroupsChangeAndOnlyInScaleFields) {
  const TempFolder folder;
  const BlockLayer layer(core::Dtype::kQ4_1);
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  weight.scales[1] += 1e-9F;  // rounds back to d of the file: m keeps its bytes too
  weight.scales[4] *= 1.25F;
  io::export_checkpoint(checkpoint, scale_writes(weight), folder.path() / "b.gguf");
  const io::Checkpoint tuned = io::open_checkpoint(folder.path() / "b.gguf");
  const std::vector<io::ScaleField> fields = scale_fields(checkpoint);
  ASSERT_EQ(fields.size(), 2u);
  const io::DiffReport report = io::diff_checkpoints(checkpoint, tuned, fields);
  EXPECT_TRUE(report.scales_only());
  const PackedWeight back = load_weight(tuned, layer.request(), {});
  for (std::size_t i = 0; i < 6; ++i) {
    if (i == 4) continue;
    EXPECT_EQ(back.scales[i], half_of(layer.d[i]));
    EXPECT_EQ(back.minimum[i], half_of(layer.m[i]) / half_of(layer.d[i]));
  }
  EXPECT_EQ(back.scales[4], half_of(half_of(layer.d[4]) * 1.25F));
  EXPECT_NEAR(back.minimum[4], half_of(layer.m[4]) / half_of(layer.d[4]), 2e-3 * std::fabs(back.minimum[4]));
}

TEST(ScaleWrites, RoundsToNearestEvenAndCounts) {
  const TempFolder folder;
  const BlockLayer layer(core::Dtype::kQ4_0);
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  weight.scales = {1.0F + 0x1p-11F, 1.0F + 0x3p-11F, 1e-9F, 0x1p-20F, -weight.scales[4], weight.scales[5]};
  RoundingCount count;
  const std::vector<io::FieldWrite> writes = scale_writes(weight, &count);
  EXPECT_EQ(written(writes[0], 0), 1.0F);
  EXPECT_EQ(written(writes[0], 1), 1.0F + 0x1p-9F);
  EXPECT_EQ(written(writes[0], 2), 0.0F);
  EXPECT_EQ(written(writes[0], 3), 0x1p-20F);
  EXPECT_EQ(count.became_zero, 1);
  EXPECT_EQ(count.became_subnormal, 1);
  int sign_changes = 1;  // element 4
  for (const std::size_t i : {0u, 1u, 3u}) sign_changes += layer.d[i] < 0 ? 1 : 0;
  EXPECT_EQ(count.changed_sign, sign_changes);
}

TEST(ScaleWrites, ADivergedScaleIsNeverWritten) {
  const TempFolder folder;
  const BlockLayer layer(core::Dtype::kQ8_0);
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  for (const float bad : {1e6F, std::numeric_limits<float>::quiet_NaN()}) {
    weight.scales[3] = bad;
    EXPECT_THROW(scale_writes(weight), core::GuardError);
  }
}

TEST(ScaleWrites, FixedMinimumIsNeverRewritten) {
  const TempFolder folder;
  const BlockLayer layer(core::Dtype::kQ4_1);
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a.gguf");
  PackedWeight weight = load_weight(checkpoint, layer.request(), {.minimum_rule = MinimumRule::kFixed});
  for (float& scale : weight.scales) scale *= 2;
  const std::vector<io::FieldWrite> writes = scale_writes(weight);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(written(writes[1], i), half_of(layer.m[i]));
}

TEST(ScaleFields, EveryFormatNamesItsOwn) {
  const TempFolder folder;
  const GptqLayer layer;
  testing::StoredTensors tensors = layer.tensors();
  tensors["other.scales"] = {core::Dtype::kF32, {2}, std::string(8, '\0')};  // not beside a qweight
  tensors["norm.weight"] = {core::Dtype::kF32, {2}, std::string(8, '\0')};
  testing::write_folder(folder.path(), layer.config(), tensors);
  const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
  const std::vector<io::ScaleField> fields = scale_fields(checkpoint);
  ASSERT_EQ(fields.size(), 1u);
  EXPECT_EQ(fields[0].tensor, "proj.scales");
  EXPECT_EQ(fields[0].count, 72);
  EXPECT_EQ(fields[0].stride, 2u);
}

}  // namespace
}  // namespace qzo::quant
