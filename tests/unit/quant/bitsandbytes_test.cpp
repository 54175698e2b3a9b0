#include "qzo/quant/formats/bitsandbytes.h"

#include <cmath>

#include "qzo/core/log.h"

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using core::Dtype;
using testing::dequantized;
using testing::expect_user_error;
using testing::little_endian;
using testing::StoredTensors;
using testing::TempFolder;

template <class Value>
std::string joined(const std::vector<Value>& values) {
  std::string bytes;
  for (const Value value : values) bytes += little_endian(value);
  return bytes;
}

// One layer "proj" whose rows are no multiple of the block, so that blocks go on in the next row and the last is short.
struct TableLayer {
  std::size_t out = 5, in = 40, blocksize = 64;
  std::string type = "nf4";
  bool nested = false;
  std::vector<std::uint8_t> codes;   // [out, in]
  std::vector<float> table, absmax;  // absmax: as expanded
  std::vector<std::uint8_t> absmax_codes;
  std::vector<float> nested_table, nested_absmax;
  float nested_offset = 0.25F;

  explicit TableLayer(bool is_nested = false) : nested(is_nested) {
    testing::Bits bits(11);
    for (std::size_t i = 0; i < out * in; ++i) codes.push_back(static_cast<std::uint8_t>(bits.below(16)));
    for (int i = 0; i < 16; ++i) table.push_back(static_cast<float>(i * i - 100) / 128.0F);
    for (int i = 0; i < 256; ++i) nested_table.push_back(static_cast<float>(i - 128) / 1024.0F);
    for (std::size_t b = 0; b < blocks(); b += 2) nested_absmax.push_back(static_cast<float>(1 + b));
    for (std::size_t b = 0; b < blocks(); ++b) {
      absmax_codes.push_back(static_cast<std::uint8_t>(bits.below(256)));
      absmax.push_back(nested ? nested_table[absmax_codes[b]] * nested_absmax[b / 2] + nested_offset
                              : static_cast<float>(1 + bits.below(500)) / 1000.0F);
    }
  }
  std::size_t blocks() const { return (out * in + blocksize - 1) / blocksize; }
  std::string state() const {
    std::string text = R"({"shape": [)" + std::to_string(out) + ", " + std::to_string(in) + R"(], "quant_type": ")" +
                       type + R"(", "blocksize": )" + std::to_string(blocksize) + R"(, "dtype": "float16")";
    if (nested) text += R"(, "nested_blocksize": 2, "nested_dtype": "float32", "nested_offset": 0.25)";
    return text + "}";
  }
  StoredTensors tensors() const {
    std::string packed;
    for (std::size_t i = 0; i < codes.size(); i += 2) packed += static_cast<char>(codes[i] << 4 | codes[i + 1]);
    const auto size = [](const auto& values) { return std::vector{static_cast<std::int64_t>(values.size())}; };
    StoredTensors all = {{"proj.weight", {Dtype::kU8, {static_cast<std::int64_t>(packed.size()), 1}, packed}},
                         {"proj.weight.quant_map", {Dtype::kF32, {16}, joined(table)}},
                         {"proj.weight.quant_state.bitsandbytes__" + type, {Dtype::kU8, size(state()), state()}},
                         {"proj.weight.absmax", {Dtype::kF32, size(absmax), joined(absmax)}}};
    if (nested) {
      all["proj.weight.absmax"] = {Dtype::kU8, size(absmax_codes), joined(absmax_codes)};
      all["proj.weight.nested_absmax"] = {Dtype::kF32, size(nested_absmax), joined(nested_absmax)};
      all["proj.weight.nested_quant_map"] = {Dtype::kF32, {256}, joined(nested_table)};
    }
    return all;
  }
  std::string config() const {
    return R"({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": ")" +
           type + R"(", "bnb_4bit_use_double_quant": )" + (nested ? "true" : "false") + "}}";
  }
  WeightRequest request() const { return {"proj", static_cast<std::int64_t>(out), static_cast<std::int64_t>(in)}; }
  io::Checkpoint write(const std::filesystem::path& folder) const {
    testing::write_folder(folder, config(), tensors());
    return io::open_checkpoint(folder);
  }
  std::vector<float> expected() const {
    std::vector<float> weight;
    for (std::size_t i = 0; i < codes.size(); ++i) weight.push_back(table[codes[i]] * absmax[i / blocksize]);
    return weight;
  }
};

TEST(Bitsandbytes, BlocksGoOnInTheNextRow) {
  for (const std::size_t in : {8u, 40u, 64u, 96u, 128u}) {
    for (const char* type : {"nf4", "fp4"}) {
      const TempFolder folder;
      TableLayer layer;
      layer.in = in;
      layer.type = type;
      testing::Bits bits(in);
      layer.codes.clear();
      for (std::size_t i = 0; i < layer.out * in; ++i) layer.codes.push_back(static_cast<std::uint8_t>(bits.below(16)));
      layer.absmax.clear();
      for (std::size_t b = 0; b < layer.blocks(); ++b) layer.absmax.push_back(0.5F + static_cast<float>(b) / 16);
      const io::Checkpoint checkpoint = layer.write(folder.path());
      check_quantization_settings(checkpoint);
      const PackedWeight weight = load_weight(checkpoint, layer.request(), {});
      EXPECT_EQ(weight.format, type);
      EXPECT_EQ(weight.scales, layer.absmax);
      EXPECT_EQ(dequantized(weight), layer.expected()) << in;
      const PackedWeight moved = load_weight(checkpoint, layer.request(), {});
      EXPECT_EQ(dequantized(moved), layer.expected());
    }
  }
}

TEST(Bitsandbytes, TheSameBytesUnderAnotherType) {
  for (const auto& [dtype, width] : {std::pair{Dtype::kBF16, 2}, {Dtype::kF16, 2}, {Dtype::kF32, 4}}) {
    const TempFolder folder;
    const TableLayer layer;
    StoredTensors tensors = layer.tensors();
    auto& stored = tensors.at("proj.weight");
    stored.dtype = dtype;
    stored.shape = {100 / width, 1};
    testing::write_folder(folder.path(), layer.config(), tensors);
    const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
    EXPECT_EQ(dequantized(load_weight(checkpoint, layer.request(), {})), layer.expected());
  }
}

TEST(Bitsandbytes, EachAbsmaxMovesItsBlockAndIsWrittenInPlace) {
  const TempFolder folder;
  TableLayer layer;
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a");
  PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  weight.scales[1] = layer.absmax[1] = 0.75F;
  EXPECT_EQ(dequantized(weight), layer.expected());
  const PackedWeight* const weights[] = {&weight};
  io::export_with_changes(checkpoint, export_changes(checkpoint, weights), folder.path() / "b");
  const io::Checkpoint tuned = io::open_checkpoint(folder.path() / "b");
  EXPECT_TRUE(io::diff_checkpoints(checkpoint, tuned, scale_fields(checkpoint)).scales_only());
  EXPECT_EQ(dequantized(load_weight(tuned, layer.request(), {})), layer.expected());
}

// Nibbles of a block of zeros may name any entry of the table: a probe must not wake them.
TEST(Bitsandbytes, BlocksOfZerosAreFrozen) {
  const TempFolder folder;
  TableLayer layer;
  layer.absmax[2] = 0;
  const io::Checkpoint checkpoint = layer.write(folder.path());
  PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  weight.trainable = true;
  EXPECT_EQ(weight.constant_groups, std::vector<std::int64_t>{2});
  const testing::RampNoise noise;
  const kernels::Probe probe{.noise = &noise, .eps = 0.01F};
  const std::vector<float> values = dequantized(weight, {.probe = &probe});
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i] == 0, i / 64 == 2 || layer.table[layer.codes[i]] == 0);
}

TEST(Bitsandbytes, NestedIsExpandedAndExportedUnnested) {
  const TempFolder folder;
  TableLayer layer(true);
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a");
  PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  EXPECT_TRUE(weight.nested);
  EXPECT_EQ(dequantized(weight), layer.expected());
  EXPECT_TRUE(scale_fields(checkpoint).empty());
  weight.scales[0] = layer.absmax[0] = 0.333F;
  std::string said;
  const core::LogCapture capture([&](core::LogLevel, const std::string& message) { said = message; });
  const PackedWeight* const weights[] = {&weight};
  io::export_with_changes(checkpoint, export_changes(checkpoint, weights), folder.path() / "b");
  EXPECT_NE(said.find("1 weights had a nested absmax"), std::string::npos) << said;

  const io::Checkpoint tuned = io::open_checkpoint(folder.path() / "b");
  EXPECT_EQ(tuned.tensors.entries().size(), 4u);
  EXPECT_EQ(tuned.tensors.find("proj.weight.nested_absmax"), nullptr);
  EXPECT_EQ(tuned.quantization["bnb_4bit_use_double_quant"], false);
  layer.nested = false;
  const io::TensorEntry& state = *tuned.tensors.find("proj.weight.quant_state.bitsandbytes__nf4");
  EXPECT_EQ(core::Json::parse(std::string(reinterpret_cast<const char*>(state.bytes.data()), state.bytes.size())),
            core::Json::parse(layer.state()));
  const PackedWeight back = load_weight(tuned, layer.request(), {});
  EXPECT_FALSE(back.nested);
  EXPECT_EQ(back.scales, weight.scales);
  EXPECT_EQ(dequantized(back), layer.expected());
  for (const char* name : {"proj.weight", "proj.weight.quant_map"}) {
    EXPECT_TRUE(std::ranges::equal(tuned.tensors.find(name)->bytes, checkpoint.tensors.find(name)->bytes)) << name;
  }
}

TEST(Bitsandbytes, ADivergedNestedScaleIsNeverWritten) {
  const TempFolder folder;
  const TableLayer layer(true);
  const io::Checkpoint checkpoint = layer.write(folder.path());
  PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  weight.scales[3] = NAN;
  const PackedWeight* const weights[] = {&weight};
  EXPECT_THROW(export_changes(checkpoint, weights), core::GuardError);
}

struct Broken {
  const char* name;
  bool nested;
  void (*damage)(TableLayer& layer, StoredTensors& tensors);
  std::initializer_list<std::string_view> parts;
};

class BrokenTable : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenTable, IsRefusedByName) {
  const TempFolder folder;
  TableLayer layer(GetParam().nested);
  StoredTensors tensors = layer.tensors();
  GetParam().damage(layer, tensors);
  testing::write_folder(folder.path(), layer.config(), tensors);
  const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
  expect_user_error([&] { load_weight(checkpoint, layer.request(), {}); }, GetParam().parts);
}

constexpr const char* kState = "proj.weight.quant_state.bitsandbytes__nf4";

void set_state(StoredTensors& tensors, const std::string& text) {
  tensors[kState] = {Dtype::kU8, {static_cast<std::int64_t>(text.size())}, text};
}

const Broken kBroken[] = {
    {"state_not_json", false, [](TableLayer&, StoredTensors& t) { set_state(t, "{\"quant_type"); }, {kState, "line 1"}},
    {"state_not_object", false, [](TableLayer&, StoredTensors& t) { set_state(t, "[1]"); }, {kState, "holds array"}},
    {"state_not_bytes",
     false,
     [](TableLayer&, StoredTensors& t) { t.at(kState).dtype = Dtype::kI8; },
     {kState, "dtype I8, expected U8"}},
    {"state_deep",
     false,
     [](TableLayer&, StoredTensors& t) { set_state(t, std::string(50000, '[')); },
     {kState, "nest"}},
    {"other_type",
     false,
     [](TableLayer&, StoredTensors& t) { set_state(t, R"({"quant_type": "fp4"})"); },
     {"quant_type is \"fp4\", expected \"nf4\""}},
    {"other_shape",
     false,
     [](TableLayer&, StoredTensors& t) { set_state(t, R"({"quant_type": "nf4", "shape": [40, 5], "blocksize": 64})"); },
     {"shape is [40,5], expected [5,40]"}},
    {"zero_block",
     false,
     [](TableLayer&, StoredTensors& t) { set_state(t, R"({"quant_type": "nf4", "shape": [5, 40], "blocksize": 0})"); },
     {"blocksize is 0, expected a number from 1"}},
    {"huge_block",
     false,
     [](TableLayer&, StoredTensors& t) {
       set_state(t, R"({"quant_type": "nf4", "shape": [5, 40], "blocksize": 18446744073709551615})");
     },
     {"blocksize is 18446744073709551615"}},
    {"other_block",
     false,
     [](TableLayer&, StoredTensors& t) { set_state(t, R"({"quant_type": "nf4", "shape": [5, 40], "blocksize": 32})"); },
     {"proj.weight.absmax", "[4]", "[7]"}},
    {"absmax_missing",
     false,
     [](TableLayer&, StoredTensors& t) { t.erase("proj.weight.absmax"); },
     {"\"proj.weight.absmax\" is missing"}},
    {"state_missing",
     false,
     [](TableLayer&, StoredTensors& t) { t.erase(kState); },
     {"bitsandbytes, without a quant_state of nf4 or fp4"}},
    {"weight_missing",
     false,
     [](TableLayer&, StoredTensors& t) { t.erase("proj.weight"); },
     {"\"proj.weight\" is missing, though its quantization state is there"}},
    {"weight_short",
     false,
     [](TableLayer&, StoredTensors& t) {
       t.at("proj.weight") = {Dtype::kU8, {99, 1}, std::string(99, '\0')};
     },
     {"proj.weight", "[99, 1], expected [100, 1]"}},
    {"nan_absmax",
     false,
     [](TableLayer& layer, StoredTensors& t) {
       layer.absmax[3] = NAN;
       t = layer.tensors();
     },
     {"proj.weight.absmax", "element 3 is nan"}},
    {"infinite_table",
     false,
     [](TableLayer& layer, StoredTensors& t) {
       layer.table[15] = INFINITY;
       t = layer.tensors();
     },
     {"proj.weight.quant_map", "element 15 is inf"}},
    {"odd_rows",
     false,
     [](TableLayer& layer, StoredTensors&) { layer.in = 20; },
     {"proj has 20 inputs", "multiples of 8"}},
    {"nested_absmax_missing",
     true,
     [](TableLayer&, StoredTensors& t) { t.erase("proj.weight.nested_absmax"); },
     {"\"proj.weight.nested_absmax\" is missing"}},
    {"nested_keys_missing",
     true,
     [](TableLayer& layer, StoredTensors& t) {
       layer.nested = false;
       set_state(t, layer.state());
     },
     {kState, "nested_blocksize is missing"}},
};
INSTANTIATE_TEST_SUITE_P(Bitsandbytes, BrokenTable, ::testing::ValuesIn(kBroken),
                         [](const auto& test) { return test.param.name; });

TEST(Bitsandbytes, SettingsOfOtherMethodsAreRefused) {
  for (const auto& [settings, part] :
       {std::pair{R"("load_in_8bit": true)", "load_in_8bit true (LLM.int8) is not supported"},
        std::pair{R"("bnb_4bit_quant_type": "int4")", "bnb_4bit_quant_type \"int4\" is not supported"}}) {
    const TempFolder folder;
    testing::write_folder(folder.path(),
                          std::string(R"({"quantization_config": {"quant_method": "bitsandbytes", )") + settings + "}}",
                          TableLayer().tensors());
    const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
    expect_user_error(
        [&] {
          check_quantization_settings(checkpoint);
          return 0;
        },
        {"config.json", part});
  }
}

}  // namespace
}  // namespace qzo::quant
