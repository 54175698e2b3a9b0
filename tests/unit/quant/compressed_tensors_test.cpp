#include "qzo/quant/formats/compressed_tensors.h"

#include <algorithm>

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using testing::dequantized;
using testing::expect_user_error;
using testing::TempFolder;

constexpr const char* kSettings =
    R"("quant_method": "compressed-tensors", "format": "pack-quantized",
       "config_groups": {"group_0": {"targets": ["Linear"], "input_activations": null,
                                     "weights": {"num_bits": 4, "type": "int", "strategy": "group"}}})";

io::Checkpoint write(const TempFolder& folder, const test::StoredTensors& tensors) {
  testing::write_folder(folder.path(), testing::config_of(kSettings), tensors);
  return io::open_checkpoint(folder.path());
}
PackedWeight load(const io::Checkpoint& checkpoint, const test::PackedLayer& layer) {
  return load_weight(checkpoint, testing::request_of(layer.out, layer.in), {});
}

class Widths : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(CompressedTensors, Widths, ::testing::Values(4U, 8U));

// 21 outputs: the last word of packed zero points is not full.
TEST_P(Widths, AsymmetricGroupsInAndOutOfOrder) {
  for (const bool shuffled : {false, true}) {
    const TempFolder folder;
    test::PackedLayer layer = testing::random_layer(48, 16, 21, GetParam(), 9);
    if (shuffled)
      for (std::size_t k = 0; k < 48; ++k) layer.g_idx[k] = static_cast<std::int32_t>(k * 7 % 48 / 16);
    const io::Checkpoint checkpoint = write(folder, test::compressed_tensors(layer, "proj"));
    check_quantization_settings(checkpoint);
    const PackedWeight weight = load(checkpoint, layer);
    EXPECT_EQ(weight.format, "compressed-tensors");
    EXPECT_EQ(weight.scale_shape, (std::vector<std::int64_t>{21, 3}));
    EXPECT_EQ(weight.codes.group_of != nullptr, shuffled);
    EXPECT_EQ(dequantized(weight), layer.expected());
  }
}

TEST_P(Widths, SymmetricChannelsWithoutZeroPoints) {
  const TempFolder folder;
  test::PackedLayer layer = testing::random_layer(40, 40, 24, GetParam(), 2);
  std::ranges::fill(layer.zeros, static_cast<std::uint8_t>(1U << (GetParam() - 1)));
  test::StoredTensors tensors = test::compressed_tensors(layer, "proj");
  tensors.erase("proj.weight_zero_point");
  tensors.at("proj.weight_g_idx").bytes.assign(40 * 4, '\xff');  // -1: not in use
  tensors.at("proj.weight_shape") = {core::Dtype::kI32, {2}, test::bytes_of(24) + test::bytes_of(40)};
  const io::Checkpoint checkpoint = write(folder, tensors);
  EXPECT_EQ(dequantized(load(checkpoint, layer)), layer.expected());
}

struct Broken {
  const char* name;
  void (*damage)(test::StoredTensors& tensors);
  std::initializer_list<std::string_view> parts;
};
class BrokenCompressedTensors : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenCompressedTensors, IsRefusedByName) {
  const TempFolder folder;
  const test::PackedLayer layer = testing::random_layer(48, 16, 24, 4, 9);
  test::StoredTensors tensors = test::compressed_tensors(layer, "proj");
  GetParam().damage(tensors);
  const io::Checkpoint checkpoint = write(folder, tensors);
  expect_user_error([&] { load(checkpoint, layer); }, GetParam().parts);
}

void set_index(test::StoredTensors& tensors, std::size_t k, std::int32_t value) {
  std::memcpy(tensors.at("proj.weight_g_idx").bytes.data() + k * 4, &value, 4);
}

const Broken kBroken[] = {
    {"scale_missing",
     [](test::StoredTensors& t) { t.erase("proj.weight_scale"); },
     {"\"proj.weight_scale\" is missing"}},
    {"shape_missing",
     [](test::StoredTensors& t) { t.erase("proj.weight_shape"); },
     {"\"proj.weight_shape\" is missing"}},
    {"another_shape",
     [](test::StoredTensors& t) { t.at("proj.weight_shape").bytes[0] = 25; },
     {"proj.weight_shape", "[25, 48]", "[24, 48]"}},
    {"two_bits",
     [](test::StoredTensors& t) {
       t.at("proj.weight_packed").shape = {24, 3};
       t.at("proj.weight_packed").bytes.resize(24 * 3 * 4);
     },
     {"proj.weight_packed", "[24, 3]", "[24, 6]"}},
    {"groups_that_do_not_divide",
     [](test::StoredTensors& t) {
       t.at("proj.weight_scale").shape = {24, 5};
       t.at("proj.weight_scale").bytes.resize(24 * 5 * 2);
     },
     {"proj has 48 inputs in 5 groups"}},
    {"zeros_along_inputs",
     [](test::StoredTensors& t) {
       t.at("proj.weight_zero_point").shape = {24, 1};
       t.at("proj.weight_zero_point").bytes.resize(24 * 4);
     },
     {"proj.weight_zero_point", "[24, 1]", "[3, 3]"}},
    {"nan_scale",
     [](test::StoredTensors& t) { t.at("proj.weight_scale").bytes.replace(4 * 2, 2, "\x00\x7e", 2); },
     {"proj.weight_scale", "weight_scale[1, 1] is nan"}},
    {"index_too_large",
     [](test::StoredTensors& t) { set_index(t, 7, 3); },
     {"g_idx[7] is 3, though there are 3 groups"}},
    {"uneven_groups", [](test::StoredTensors& t) { set_index(t, 0, 2); }, {"names group 0 15 times, expected 16"}},
};
INSTANTIATE_TEST_SUITE_P(CompressedTensors, BrokenCompressedTensors, ::testing::ValuesIn(kBroken),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace qzo::quant
