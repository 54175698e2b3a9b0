#include "qzo/quant/formats/aqlm.h"

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using core::Dtype;
using testing::dequantized;
using testing::expect_user_error;
using testing::StoredTensors;
using testing::TempFolder;

// One layer "proj" of random codes; about half of them are negative as stored.
struct BookLayer {
  std::size_t out = 5, in = 24, books, bits;
  std::vector<std::uint32_t> codes;  // [out, in/8, books]
  std::vector<float> vectors;        // [books, 2^bits, 8], exact in half
  std::vector<float> scales;         // [out]
  std::string settings;

  BookLayer(std::size_t count, std::size_t width) : books(count), bits(width) {
    testing::Bits random(count * 100 + width);
    for (std::size_t i = 0; i < out * in / 8 * books; ++i) codes.push_back(random.below(1u << bits));
    for (std::size_t i = 0; i < books * 8 << bits; ++i)
      vectors.push_back((static_cast<float>(random.below(256)) - 128.0F) / 64.0F);
    for (std::size_t i = 0; i < out; ++i) scales.push_back(static_cast<float>(1 + random.below(100)) / 64.0F);
    settings = R"("quant_method": "aqlm", "in_group_size": 8, "out_group_size": 1, "num_codebooks": )" +
               std::to_string(books) + R"(, "nbits_per_codebook": )" + std::to_string(bits);
  }
  StoredTensors tensors() const {
    const auto n = [](std::size_t value) { return static_cast<std::int64_t>(value); };
    std::string stored;
    for (const std::uint32_t code : codes) {
      if (bits <= 8) stored += static_cast<char>(code);
      // The high bits are whatever a signed integer of 16 bits has there.
      else
        stored += testing::little_endian(static_cast<std::int16_t>(
            static_cast<std::uint16_t>(code << (16 - bits)) >> (16 - bits) | (bits < 16 && code % 2 ? 0x8000 : 0)));
    }
    return {{"proj.codes", {bits <= 8 ? Dtype::kI8 : Dtype::kI16, {n(out), n(in / 8), n(books)}, stored}},
            {"proj.codebooks", {Dtype::kF16, {n(books), std::int64_t{1} << bits, 1, 8}, testing::halves(vectors)}},
            {"proj.scales", {Dtype::kF16, {n(out), 1, 1, 1}, testing::halves(scales)}}};
  }
  std::string config() const { return "{\"quantization_config\": {" + settings + "}}"; }
  WeightRequest request() const { return {"proj", static_cast<std::int64_t>(out), static_cast<std::int64_t>(in)}; }
  io::Checkpoint write(const std::filesystem::path& folder) const {
    testing::write_folder(folder, config(), tensors());
    return io::open_checkpoint(folder);
  }
  std::vector<float> expected() const {
    std::vector<float> weight;
    for (std::size_t n = 0; n < out; ++n) {
      for (std::size_t k = 0; k < in; ++k) {
        float sum = 0;
        for (std::size_t c = 0; c < books; ++c)
          sum += vectors[((c << bits) + codes[(n * (in / 8) + k / 8) * books + c]) * 8 + k % 8];
        weight.push_back(scales[n] * sum);
      }
    }
    return weight;
  }
};

TEST(Aqlm, EveryUsualNumberAndWidthOfBooks) {
  for (const auto& [books, bits] : {std::pair{1u, 16u}, {2u, 8u}, {1u, 12u}, {8u, 8u}, {3u, 4u}}) {
    const TempFolder folder;
    const BookLayer layer(books, bits);
    const io::Checkpoint checkpoint = layer.write(folder.path());
    check_quantization_settings(checkpoint);
    const PackedWeight weight = load_weight(checkpoint, layer.request(), {});
    EXPECT_EQ(weight.format, "aqlm");
    EXPECT_EQ(weight.scales, layer.scales);
    EXPECT_EQ(dequantized(weight), layer.expected()) << books << 'x' << bits;
  }
}

TEST(Aqlm, ExportMovesScalesOnly) {
  const TempFolder folder;
  BookLayer layer(2, 8);
  const io::Checkpoint checkpoint = layer.write(folder.path() / "a");
  PackedWeight weight = load_weight(checkpoint, layer.request(), {});
  const PackedWeight* const weights[] = {&weight};
  io::export_with_changes(checkpoint, export_changes(checkpoint, weights), folder.path() / "same");
  EXPECT_TRUE(io::diff_checkpoints(checkpoint, io::open_checkpoint(folder.path() / "same"), {}).identical());
  weight.scales[3] = layer.scales[3] = 0.375F;
  io::export_with_changes(checkpoint, export_changes(checkpoint, weights), folder.path() / "b");
  const io::Checkpoint tuned = io::open_checkpoint(folder.path() / "b");
  const io::DiffReport report = io::diff_checkpoints(checkpoint, tuned, scale_fields(checkpoint));
  EXPECT_TRUE(report.scales_only() && !report.identical());
  EXPECT_EQ(dequantized(load_weight(tuned, layer.request(), {})), layer.expected());
}

struct Broken {
  const char* name;
  void (*damage)(BookLayer& layer, StoredTensors& tensors);
  std::initializer_list<std::string_view> parts;
};

class BrokenBooks : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenBooks, IsRefusedByName) {
  const TempFolder folder;
  BookLayer layer(2, 8);
  StoredTensors tensors = layer.tensors();
  GetParam().damage(layer, tensors);
  testing::write_folder(folder.path(), layer.config(), tensors);
  const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
  expect_user_error([&] { load_weight(checkpoint, layer.request(), {}); }, GetParam().parts);
}

const Broken kBroken[] = {
    {"no_codes", [](BookLayer&, StoredTensors& t) { t.erase("proj.codes"); }, {"AQLM, without codes"}},
    {"no_scales", [](BookLayer&, StoredTensors& t) { t.erase("proj.scales"); }, {"\"proj.scales\" is missing"}},
    {"float_codebooks",
     [](BookLayer&, StoredTensors& t) { t.at("proj.codebooks").dtype = Dtype::kBF16; },
     {"proj.codebooks", "dtype BF16, expected F16"}},
    {"flat_codebooks",
     [](BookLayer&, StoredTensors& t) {
       t.at("proj.codebooks").shape = {512, 8};
     },
     {"shape [512, 8], expected [books, 2^bits, 1, 8]"}},
    {"wide_vectors",
     [](BookLayer&, StoredTensors& t) {
       t.at("proj.codebooks").shape = {2, 128, 1, 16};
     },
     {"vectors of 1 x 16 weights", "not supported yet"}},
    {"no_power_of_two",
     [](BookLayer&, StoredTensors& t) {
       t.at("proj.codebooks") = {Dtype::kF16, {2, 100, 1, 8}, std::string(3200, '\0')};
     },
     {"[2, 100, 1, 8]", "power of two"}},
    {"empty_books",
     [](BookLayer&, StoredTensors& t) {
       t.at("proj.codebooks") = {Dtype::kF16, {2, 0, 1, 8}, ""};
     },
     {"[2, 0, 1, 8]", "power of two"}},
    {"too_many_vectors",
     [](BookLayer&, StoredTensors& t) {
       t.at("proj.codebooks") = {Dtype::kF16, {1, 131072, 1, 8}, std::string(131072 * 16, '\0')};
     },
     {"[1, 131072, 1, 8]"}},
    {"infinite_vector",
     [](BookLayer&, StoredTensors& t) { t.at("proj.codebooks").bytes.replace(34, 2, "\x00\x7c", 2); },
     {"proj.codebooks", "element 17 is inf"}},
    {"wide_codes",
     [](BookLayer&, StoredTensors& t) {
       t.at("proj.codes") = {Dtype::kI16, {5, 3, 2}, std::string(60, '\0')};
     },
     {"proj.codes", "dtype I16, expected I8"}},
    {"codes_of_another_book",
     [](BookLayer&, StoredTensors& t) {
       t.at("proj.codes") = {Dtype::kI8, {5, 3, 1}, std::string(15, '\0')};
     },
     {"proj.codes", "[5, 3, 1]", "[5, 3, 2]"}},
    {"nan_scale",
     [](BookLayer&, StoredTensors& t) { t.at("proj.scales").bytes.replace(4, 2, "\x00\x7e", 2); },
     {"proj.scales", "scale of output 2 is nan"}},
    {"settings_disagree",
     [](BookLayer& layer, StoredTensors&) { layer.settings = BookLayer(1, 16).settings; },
     {"2 books of 8 bits, expected 1 of 16", "config.json"}},
    {"other_group",
     [](BookLayer& layer, StoredTensors&) {
       layer.settings = R"("quant_method": "aqlm", "in_group_size": 16, "out_group_size": 1)";
     },
     {"in_group_size 16 is not supported yet"}},
    {"odd_input", [](BookLayer& layer, StoredTensors&) { layer.in = 20; }, {"proj has 20 inputs", "multiple of 8"}},
};
INSTANTIATE_TEST_SUITE_P(Aqlm, BrokenBooks, ::testing::ValuesIn(kBroken),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace qzo::quant
