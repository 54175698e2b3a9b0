#include "qzo/quant/formats/gptq.h"

#include <algorithm>
#include <cmath>

#include "qzo/core/text.h"

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using testing::dequantized;
using testing::expect_user_error;
using testing::GptqLayer;
using testing::TempFolder;

PackedWeight load(const io::Checkpoint& checkpoint, const GptqLayer& layer, LoadOptions options = {}) {
  return load_weight(checkpoint, layer.request(), options);
}

TEST(Gptq, AsymmetricVersion1WithShortLastGroup) {
  const TempFolder folder;
  const GptqLayer layer;
  const io::Checkpoint checkpoint = layer.write(folder.path());
  const PackedWeight weight = load(checkpoint, layer);
  EXPECT_EQ(weight.format, "gptq");
  EXPECT_EQ(weight.scale_shape, (std::vector<std::int64_t>{3, 24}));
  EXPECT_EQ(weight.codes.group_of, nullptr);
  EXPECT_FALSE(weight.signed_scales);
  EXPECT_EQ(dequantized(weight), layer.expected());
}

TEST(Gptq, BothVersionsOfTheSameLayerGiveTheSameWeights) {
  const TempFolder folder;
  GptqLayer layer;
  layer.v1 = false;
  layer.zeros[3] = 0;
  layer.settings += R"(, "checkpoint_format": "gptq_v2")";
  const io::Checkpoint checkpoint = layer.write(folder.path());
  EXPECT_EQ(dequantized(load(checkpoint, layer)), layer.expected());
}

TEST(Gptq, Version1ZeroOfZeroComesBackAndIsCounted) {
  const TempFolder folder;
  GptqLayer layer;
  layer.zeros[3] = 0;
  const io::Checkpoint checkpoint = layer.write(folder.path());
  const PackedWeight weight = load(checkpoint, layer);
  EXPECT_EQ(dequantized(weight), layer.expected());
  EXPECT_EQ(weight.ambiguous_zeros, 1);
}

TEST(Gptq, SymmetricZerosOverrideTheLabel) {
  for (const bool v1 : {true, false}) {
    const TempFolder folder;
    GptqLayer layer;
    std::ranges::fill(layer.zeros, 8);
    layer.v1 = v1;
    layer.settings = R"("quant_method": "gptq", "bits": 4, "group_size": 16, "sym": true, "checkpoint_format": ")" +
                     std::string(v1 ? "gptq_v2" : "gptq") + '"';  // the wrong one
    const io::Checkpoint checkpoint = layer.write(folder.path());
    EXPECT_EQ(dequantized(load(checkpoint, layer)), layer.expected());
  }
}

TEST(Gptq, SymmetricSettingsWithOtherZerosAreRefusedUnlessForced) {
  const TempFolder folder;
  GptqLayer layer;
  layer.settings = R"("quant_method": "gptq", "bits": 4, "group_size": 16, "sym": true)";
  const io::Checkpoint checkpoint = layer.write(folder.path());
  expect_user_error([&] { load(checkpoint, layer); }, {"proj.qzeros", "sym = true", "model.gptq_zero_version"});
  EXPECT_EQ(dequantized(load(checkpoint, layer, {.gptq_zero_version = ZeroVersion::kV1})), layer.expected());
}

// 3-bit codes straddle words, in columns of qweight and in rows of qzeros.
TEST(Gptq, EveryBitWidthInBothVersionsWithAndWithoutOrder) {
  for (const unsigned bits : {2U, 3U, 4U, 8U})
    for (const bool v1 : {true, false})
      for (const bool shuffled : {false, true}) {
        SCOPED_TRACE(::testing::Message() << bits << " bits, v1 " << v1 << ", shuffled " << shuffled);
        const TempFolder folder;
        GptqLayer layer(96, 40, 64, 11, bits);
        layer.v1 = v1;
        layer.settings = core::text(R"("quant_method": "gptq", "group_size": 40, "sym": false, "bits": )", bits,
                                    R"(, "checkpoint_format": ")", v1 ? "gptq" : "gptq_v2", '"');
        if (shuffled)
          for (std::size_t k = 0; k < 96; ++k) layer.g_idx[k] = static_cast<std::int32_t>(k * 7 % 96 / 40);
        const io::Checkpoint checkpoint = layer.write(folder.path());
        check_quantization_settings(checkpoint);
        const PackedWeight weight = load(checkpoint, layer);
        EXPECT_EQ(weight.format, bits == 4 ? "gptq" : core::text("gptq", bits));
        EXPECT_EQ(weight.ambiguous_zeros, 0);
        EXPECT_EQ(dequantized(weight), layer.expected());
      }
}

TEST(Gptq, SymmetricZerosOfEveryBitWidthShowTheVersion) {
  for (const unsigned bits : {2U, 3U, 8U})
    for (const bool v1 : {true, false}) {
      const TempFolder folder;
      GptqLayer layer(64, 32, 32, 3, bits);
      std::ranges::fill(layer.zeros, static_cast<std::uint8_t>(1U << (bits - 1)));
      layer.v1 = v1;  // the label says v1 in either case
      layer.settings = core::text(R"("quant_method": "gptq", "group_size": 32, "sym": true, "bits": )", bits);
      const io::Checkpoint checkpoint = layer.write(folder.path());
      const PackedWeight weight = load(checkpoint, layer);
      EXPECT_EQ(weight.codes.zero, 1 << (bits - 1));
      EXPECT_EQ(dequantized(weight), layer.expected());
    }
}

TEST(Gptq, GroupIndexInAnyOrder) {
  const TempFolder folder;
  GptqLayer layer;
  for (std::size_t k = 0; k < layer.g_idx.size(); ++k) layer.g_idx[k] = static_cast<std::int32_t>(k * 7 % 40) / 16;
  const io::Checkpoint checkpoint = layer.write(folder.path());
  const PackedWeight weight = load(checkpoint, layer);
  ASSERT_NE(weight.codes.group_of, nullptr);
  EXPECT_EQ(dequantized(weight), layer.expected());
}

TEST(Gptq, OneGroupAndGroupsWiderThanTheInput) {
  for (const char* size : {"-1", "128"}) {
    const TempFolder folder;
    GptqLayer layer(24, 24);
    layer.settings = std::string(R"("quant_method": "gptq", "bits": 4, "sym": false, "group_size": )") + size;
    const io::Checkpoint checkpoint = layer.write(folder.path());
    EXPECT_EQ(dequantized(load(checkpoint, layer)), layer.expected());
  }
}

TEST(Gptq, ViewsSurviveAMove) {
  const TempFolder folder;
  GptqLayer layer;
  layer.g_idx = std::vector<std::int32_t>(40, 2);
  layer.g_idx[0] = 0;
  layer.g_idx[39] = 1;
  const io::Checkpoint checkpoint = layer.write(folder.path());
  PackedWeight first = load(checkpoint, layer);
  const PackedWeight second = std::move(first);
  EXPECT_EQ(dequantized(second), layer.expected());
}

TEST(Gptq, ScalesInBfloat16AndFloat32) {
  for (const core::Dtype dtype : {core::Dtype::kBF16, core::Dtype::kF32}) {
    const TempFolder folder;
    GptqLayer layer;
    std::string bytes;
    for (float& scale : layer.scales) {
      scale = core::bfloat16_to_float(core::float_to_bfloat16(scale));
      bytes += dtype == core::Dtype::kF32 ? testing::little_endian(scale)
                                          : testing::little_endian(core::float_to_bfloat16(scale));
    }
    testing::StoredTensors tensors = layer.tensors();
    tensors.at("proj.scales") = {dtype, {3, 24}, bytes};
    testing::write_folder(folder.path(), layer.config(), tensors);
    const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
    const PackedWeight weight = load(checkpoint, layer);
    EXPECT_EQ(dequantized(weight), layer.expected());
    EXPECT_EQ(weight.scale_field.width, dtype == core::Dtype::kF32 ? 4u : 2u);
    EXPECT_EQ(weight.scale_dtype, dtype);
  }
}

// What a broken layer must say.
struct Broken {
  const char* name;
  void (*damage)(GptqLayer& layer, testing::StoredTensors& tensors);
  std::initializer_list<std::string_view> parts;
};

class BrokenGptq : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenGptq, IsRefusedByName) {
  const TempFolder folder;
  GptqLayer layer;
  testing::StoredTensors tensors = layer.tensors();
  GetParam().damage(layer, tensors);
  testing::write_folder(folder.path(), layer.config(), tensors);
  const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
  expect_user_error([&] { load(checkpoint, layer); }, GetParam().parts);
}

void set_index(testing::StoredTensors& tensors, std::size_t k, std::int32_t value) {
  std::memcpy(tensors.at("proj.g_idx").bytes.data() + k * 4, &value, 4);
}

const Broken kBroken[] = {
    {"index_too_large",
     [](GptqLayer&, testing::StoredTensors& t) { set_index(t, 5, 9); },
     {"model.safetensors: tensor \"proj.g_idx\"", "g_idx[5] is 9, though there are 3 groups"}},
    {"index_negative", [](GptqLayer&, testing::StoredTensors& t) { set_index(t, 0, -1); }, {"g_idx[0] is -1"}},
    {"index_unset",
     [](GptqLayer&, testing::StoredTensors& t) { t.at("proj.g_idx").bytes.assign(160, '\0'); },
     {"proj.g_idx", "never names group 1 of 3"}},
    {"nan_scale",
     [](GptqLayer&, testing::StoredTensors& t) { t.at("proj.scales").bytes.replace((24 + 3) * 2, 2, "\x00\x7e", 2); },
     {"proj.scales", "scales[1, 3] is nan"}},
    {"infinite_scale",
     [](GptqLayer&, testing::StoredTensors& t) { t.at("proj.scales").bytes.replace(0, 2, "\x00\x7c", 2); },
     {"scales[0, 0] is inf"}},
    {"scales_missing",
     [](GptqLayer&, testing::StoredTensors& t) { t.erase("proj.scales"); },
     {"\"proj.scales\" is missing"}},
    {"other_group_size",
     [](GptqLayer& layer, testing::StoredTensors&) {
       layer.settings = R"("quant_method": "gptq", "bits": 4, "group_size": 8)";
     },
     {"proj.qzeros", "[3, 3]", "[5, 3]"}},
    {"odd_input",
     [](GptqLayer& layer, testing::StoredTensors&) { layer.in = 41; },
     {"proj has 41 inputs", "multiple of 8"}},
    {"odd_output", [](GptqLayer& layer, testing::StoredTensors&) { layer.out = 23; }, {"proj has 23 outputs"}},
    {"stored_twice",
     [](GptqLayer&, testing::StoredTensors& t) {
       t["proj.weight"] = {core::Dtype::kF32, {1}, std::string(4, '\0')};
     },
     {"proj is stored twice, as gptq and as dense"}},
    {"no_index",
     [](GptqLayer&, testing::StoredTensors& t) { t.erase("proj.g_idx"); },
     {"quant_method is \"gptq\"", "expected \"awq\"", "qweight without g_idx"}},
    {"odd_for_three_bits",
     [](GptqLayer& layer, testing::StoredTensors&) {
       layer.settings = R"("quant_method": "gptq", "bits": 3, "group_size": 16)";
     },
     {"proj has 40 inputs", "multiple of 32", "3-bit"}},
    {"other_bits",
     [](GptqLayer& layer, testing::StoredTensors&) {
       layer.settings = R"("quant_method": "gptq", "bits": 8, "group_size": 16)";
     },
     {"proj.qweight", "[5, 24]", "[10, 24]"}},
};
INSTANTIATE_TEST_SUITE_P(Gptq, BrokenGptq, ::testing::ValuesIn(kBroken),
                         [](const auto& test) { return test.param.name; });

TEST(Gptq, WithoutSettingsIsRefused) {
  const TempFolder folder;
  const GptqLayer layer;
  testing::write_folder(folder.path(), "{}", layer.tensors());
  const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
  expect_user_error([&] { load(checkpoint, layer); }, {"proj is stored as GPTQ", "quantize_config.json"});
}

}  // namespace
}  // namespace qzo::quant
