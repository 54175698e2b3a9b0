#include "qzo/quant/formats/awq.h"

#include <algorithm>

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using testing::dequantized;
using testing::expect_user_error;
using testing::TempFolder;

constexpr const char* kSettings = R"("quant_method": "awq", "bits": 4, "group_size": 16, "version": "gemm")";

test::PackedLayer layer_of(std::size_t in = 48, std::size_t group = 16) {
  return testing::random_layer(in, group, 24, 4, 5);
}

io::Checkpoint write(const TempFolder& folder, const test::StoredTensors& tensors, const std::string& settings) {
  testing::write_folder(folder.path(), testing::config_of(settings), tensors);
  return io::open_checkpoint(folder.path());
}
PackedWeight load(const io::Checkpoint& checkpoint, std::size_t in = 48) {
  return load_weight(checkpoint, testing::request_of(24, in), {});
}

TEST(Awq, EveryNibbleStandsWhereItBelongs) {
  const TempFolder folder;
  const test::PackedLayer layer = layer_of();
  const io::Checkpoint checkpoint = write(folder, test::awq_tensors(layer, "proj"), kSettings);
  check_quantization_settings(checkpoint);
  const PackedWeight weight = load(checkpoint);
  EXPECT_EQ(weight.format, "awq");
  EXPECT_EQ(weight.scale_shape, (std::vector<std::int64_t>{3, 24}));
  EXPECT_EQ(dequantized(weight), layer.expected());
}

TEST(Awq, OneGroupOldSpellingsAndAConstantZeroPoint) {
  const TempFolder folder;
  test::PackedLayer layer = layer_of(20, 20);
  std::ranges::fill(layer.zeros, 7);
  const io::Checkpoint checkpoint =
      write(folder, test::awq_tensors(layer, "proj"), R"("w_bit": 4, "q_group_size": -1, "version": "GEMM")");
  check_quantization_settings(checkpoint);
  const PackedWeight weight = load(checkpoint, 20);
  EXPECT_EQ(weight.codes.zero, 7);
  EXPECT_EQ(dequantized(weight), layer.expected());
}

TEST(Awq, WithoutSettingsIsRefused) {
  const TempFolder folder;
  testing::write_folder(folder.path(), "{}", test::awq_tensors(layer_of(), "proj"));
  const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
  expect_user_error([&] { load(checkpoint); }, {"proj is stored as AWQ", "quant_config.json"});
}

struct Broken {
  const char* name;
  void (*damage)(test::StoredTensors& tensors);
  std::initializer_list<std::string_view> parts;
};
class BrokenAwq : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenAwq, IsRefusedByName) {
  const TempFolder folder;
  test::StoredTensors tensors = test::awq_tensors(layer_of(), "proj");
  GetParam().damage(tensors);
  const io::Checkpoint checkpoint = write(folder, tensors, kSettings);
  expect_user_error([&] { load(checkpoint); }, GetParam().parts);
}

const Broken kBroken[] = {
    {"scales_missing", [](test::StoredTensors& t) { t.erase("proj.scales"); }, {"\"proj.scales\" is missing"}},
    {"zeros_missing", [](test::StoredTensors& t) { t.erase("proj.qzeros"); }, {"\"proj.qzeros\" is missing"}},
    {"transposed",
     [](test::StoredTensors& t) {
       t.at("proj.qweight").shape = {3, 48};
     },
     {"proj.qweight", "[3, 48]", "[48, 3]"}},
    {"halves_for_words",
     [](test::StoredTensors& t) {
       t.at("proj.qweight").dtype = core::Dtype::kI16;
       t.at("proj.qweight").shape = {48, 6};
     },
     {"proj.qweight", "I16", "I32"}},
    {"nan_scale",
     [](test::StoredTensors& t) { t.at("proj.scales").bytes.replace((24 + 3) * 2, 2, "\x00\x7e", 2); },
     {"proj.scales", "scales[1, 3] is nan"}},
};
INSTANTIATE_TEST_SUITE_P(Awq, BrokenAwq, ::testing::ValuesIn(kBroken),
                         [](const auto& test) { return test.param.name; });

TEST(Awq, SizesThatDoNotPackAreRefused) {
  const TempFolder folder;
  const io::Checkpoint checkpoint = write(folder, test::awq_tensors(layer_of(), "proj"), kSettings);
  expect_user_error([&] { load_weight(checkpoint, testing::request_of(23, 48), {}); }, {"proj has 23 outputs"});
  expect_user_error([&] { load_weight(checkpoint, testing::request_of(24, 40), {}); },
                    {"proj has 40 inputs", "group size, 16"});
}

}  // namespace
}  // namespace qzo::quant
