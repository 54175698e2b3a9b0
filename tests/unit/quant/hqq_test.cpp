#include "qzo/quant/formats/hqq.h"

#include <cmath>

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using testing::dequantized;
using testing::expect_user_error;
using testing::TempFolder;

// Zero points are fractions.
test::HqqLayer layer_of(std::size_t axis, unsigned bits) {
  test::HqqLayer layer{.out = 24, .in = 40, .group = axis == 1 ? 20U : 8U, .axis = axis, .bits = bits};
  testing::Bits random(bits + axis);
  for (std::size_t i = 0; i < layer.out * layer.in; ++i)
    layer.codes.push_back(static_cast<std::uint8_t>(random.below(1U << bits)));
  for (std::size_t i = 0; i < layer.out * layer.in / layer.group; ++i) {
    layer.scales.push_back(static_cast<float>(1 + random.below(500)) / 4096.0F);
    layer.zeros.push_back(static_cast<float>(random.below(4U << bits)) / 4.0F);
  }
  return layer;
}

io::Checkpoint write(const TempFolder& folder, const test::StoredTensors& tensors) {
  testing::write_folder(folder.path(), testing::config_of(R"("quant_method": "hqq")"), tensors);
  return io::open_checkpoint(folder.path());
}
PackedWeight load(const io::Checkpoint& checkpoint, LoadOptions options = {}) {
  return load_weight(checkpoint, testing::request_of(24, 40), options);
}

class Schemes : public ::testing::TestWithParam<std::tuple<std::size_t, unsigned>> {};
INSTANTIATE_TEST_SUITE_P(Hqq, Schemes, ::testing::Combine(::testing::Values(0, 1), ::testing::Values(4, 8)));

TEST_P(Schemes, WeightsWithFractionalZeroPoints) {
  const auto [axis, bits] = GetParam();
  const TempFolder folder;
  const test::HqqLayer layer = layer_of(axis, bits);
  const io::Checkpoint checkpoint = write(folder, layer.tensors("proj"));
  check_quantization_settings(checkpoint);
  const PackedWeight weight = load(checkpoint);
  EXPECT_EQ(weight.format, "hqq");
  EXPECT_EQ(weight.scale_shape, axis == 1 ? (std::vector<std::int64_t>{24, 2}) : (std::vector<std::int64_t>{3, 40}));
  const std::vector<float> values = dequantized(weight), expected = layer.expected();
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 5e-6F) << i;
}

// The zero point stays whatever zo.minimum says, in the masters as in what is exported.
TEST_P(Schemes, ZeroPointsStayWhenScalesMove) {
  const auto [axis, bits] = GetParam();
  const TempFolder folder;
  test::HqqLayer layer = layer_of(axis, bits);
  const io::Checkpoint checkpoint = write(folder, layer.tensors("proj"));
  PackedWeight weight = load(checkpoint, {.minimum_rule = MinimumRule::kFixed});
  weight.scales[3] *= 1.5F;
  layer.scales[3] *= 1.5F;
  const std::vector<float> expected = layer.expected();
  for (const bool rounded : {false, true}) {
    const std::vector<float> values = dequantized(weight, {.rounded = rounded});
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], rounded ? 1e-2F : 5e-6F) << i;
  }
}

struct Broken {
  const char* name;
  void (*damage)(test::StoredTensors& tensors);
  std::initializer_list<std::string_view> parts;
};
class BrokenHqq : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenHqq, IsRefusedByName) {
  const TempFolder folder;
  test::StoredTensors tensors = layer_of(1, 4).tensors("proj");
  GetParam().damage(tensors);
  const io::Checkpoint checkpoint = write(folder, tensors);
  expect_user_error([&] { load(checkpoint); }, GetParam().parts);
}

const Broken kBroken[] = {
    {"scale_missing", [](test::StoredTensors& t) { t.erase("proj.scale"); }, {"\"proj.scale\" is missing"}},
    {"zero_missing", [](test::StoredTensors& t) { t.erase("proj.zero"); }, {"\"proj.zero\" is missing"}},
    {"no_description", [](test::StoredTensors& t) { t.erase("proj.nbits"); }, {"\"proj.nbits\" is missing", "W_q"}},
    {"quantized_zero",
     [](test::StoredTensors& t) { t.at("proj.quant_zero").bytes[0] = 1; },
     {"proj.quant_zero", "is not supported yet"}},
    {"floats_for_bytes",
     [](test::StoredTensors& t) { t.at("proj.view_as_float").bytes[0] = 1; },
     {"proj.view_as_float", "is not supported yet"}},
    {"three_bits",
     [](test::StoredTensors& t) { t.at("proj.nbits").bytes[0] = 3; },
     {"proj.nbits", "3-bit HQQ is not supported yet", "4, 8"}},
    {"another_axis", [](test::StoredTensors& t) { t.at("proj.axis").bytes[0] = 2; }, {"proj.axis", "axis 2"}},
    {"groups_across_rows",
     [](test::StoredTensors& t) { t.at("proj.group_size").bytes[0] = 64; },
     {"proj.group_size", "groups of 64 along 40 weights"}},
    {"no_group", [](test::StoredTensors& t) { t.at("proj.group_size").bytes[0] = 0; }, {"groups of 0"}},
    {"another_shape",
     [](test::StoredTensors& t) { t.at("proj.shape").bytes[0] = 25; },
     {"proj.shape", "[25, 40]", "[24, 40]"}},
    {"shape_of_three",
     [](test::StoredTensors& t) {
       t.at("proj.shape") = {core::Dtype::kI64, {3}, std::string(24, '\1')};
     },
     {"proj.shape", "I64 [3]", "2 I32 or I64"}},
    {"codes_too_short",
     [](test::StoredTensors& t) {
       t.at("proj.W_q").shape = {12, 20};
       t.at("proj.W_q").bytes.resize(240);
     },
     {"proj.W_q", "[12, 20]", "[24, 20]"}},
    {"nan_scale",
     [](test::StoredTensors& t) { t.at("proj.scale").bytes.replace(4 * 2, 2, "\x00\x7e", 2); },
     {"proj.scale", "scale[4, 0] is nan"}},
    {"infinite_zero",
     [](test::StoredTensors& t) { t.at("proj.zero").bytes.replace(0, 2, "\x00\x7c", 2); },
     {"proj.zero", "zero[0, 0] is inf"}},
};
INSTANTIATE_TEST_SUITE_P(Hqq, BrokenHqq, ::testing::ValuesIn(kBroken),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace qzo::quant
