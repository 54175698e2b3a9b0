#include "qzo/quant/formats/gguf_k_quants.h"

#include <cmath>

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using core::Dtype;
using testing::dequantized;
using testing::expect_user_error;
using testing::RampNoise;
using testing::TempFolder;

// A GGUF tensor "proj.weight" of blocks of 256 made from codes and scales that the test knows.
struct KLayer {
  Dtype dtype;
  std::size_t out = 3, in = 512;
  std::vector<float> d, dmin;                 // one a block, exact in half
  std::vector<int> codes;                     // [out, in], unsigned
  std::vector<int> part_scales, part_minima;  // one a part

  explicit KLayer(Dtype type) : dtype(type) {
    testing::Bits bits(static_cast<std::uint64_t>(type));
    const bool six = type == Dtype::kQ6_K;
    for (std::size_t i = 0; i < out * in; ++i)
      codes.push_back(static_cast<int>(bits.below(six ? 64 : type == Dtype::kQ5_K ? 32 : 16)));
    for (std::size_t i = 0; i < out * in / part(); ++i) {
      part_scales.push_back(six ? static_cast<int>(bits.below(256)) - 128 : static_cast<int>(bits.below(64)));
      part_minima.push_back(static_cast<int>(bits.below(64)));
    }
    for (std::size_t i = 0; i < blocks(); ++i) {
      d.push_back((static_cast<float>(bits.below(2000)) - 1000.5F) / 4096.0F);
      dmin.push_back((static_cast<float>(bits.below(2000)) - 1000.0F) / 1024.0F);
    }
    for (auto* values : {&d, &dmin})
      for (float& value : *values) value = core::half_to_float(core::float_to_half(value));
  }
  std::size_t part() const { return dtype == Dtype::kQ6_K ? 16 : 32; }
  std::size_t blocks() const { return out * in / 256; }

  // By the packers of ggml's make_q4_k and friends: where each bit goes, not where it is read.
  std::string data() const {
    std::string bytes;
    for (std::size_t block = 0; block < blocks(); ++block) {
      const int* code = codes.data() + block * 256;
      const int* sc = part_scales.data() + block * (256 / part());
      const int* m = part_minima.data() + block * (256 / part());
      bytes += dtype == Dtype::kQ6_K ? q6_k(code, sc, d[block]) : q45_k(code, sc, m, d[block], dmin[block]);
    }
    return bytes;
  }
  io::Checkpoint write(const std::filesystem::path& file) const {
    io::testing::GgufBuilder builder;
    builder.tensor("proj.weight", {in, out}, dtype == Dtype::kQ4_K ? 12 : dtype == Dtype::kQ5_K ? 13 : 14, 0);
    builder.data = data();
    io::testing::write_file(file, builder.bytes());
    return io::open_checkpoint(file);
  }
  WeightRequest request() const { return {"proj", static_cast<std::int64_t>(out), static_cast<std::int64_t>(in)}; }
  double expected(std::size_t i) const {
    const double scale = static_cast<double>(d[i / 256]) * part_scales[i / part()];
    if (dtype == Dtype::kQ6_K) return scale * (codes[i] - 32);
    return scale * codes[i] - static_cast<double>(dmin[i / 256]) * part_minima[i / part()];
  }

 private:
  std::string q45_k(const int* code, const int* sc, const int* m, float scale, float minimum) const {
    std::array<unsigned, 12> packed{};
    for (std::size_t j = 0; j < 8; ++j) {
      const auto s = static_cast<unsigned>(sc[j]), t = static_cast<unsigned>(m[j]);
      if (j < 4) {
        packed[j] |= s;
        packed[j + 4] |= t;
      } else {
        packed[j + 4] |= (s & 15U) | (t & 15U) << 4;
        packed[j - 4] |= s >> 4 << 6;
        packed[j] |= t >> 4 << 6;
      }
    }
    std::string bytes = testing::halves({scale, minimum});
    for (const unsigned byte : packed) bytes += static_cast<char>(byte);
    std::string high(32, '\0'), low(128, '\0');
    for (std::size_t i = 0; i < 256; ++i) {
      const auto q = static_cast<unsigned>(code[i]);
      const auto put = [](char& byte, unsigned bits) {
        byte = static_cast<char>(static_cast<unsigned char>(byte) | bits);
      };
      put(low[i / 64 * 32 + i % 32], (q & 15U) << (i / 32 % 2 * 4));
      put(high[i % 32], (q >> 4) << (i / 32));
    }
    return bytes + (dtype == Dtype::kQ5_K ? high : "") + low;
  }
  static std::string q6_k(const int* code, const int* sc, float scale) {
    std::string low(128, '\0'), high(64, '\0'), scales;
    for (std::size_t h = 0; h < 2; ++h)
      for (std::size_t l = 0; l < 32; ++l) {
        const auto q = [&](std::size_t quarter) { return static_cast<unsigned>(code[128 * h + 32 * quarter + l]); };
        low[64 * h + l] = static_cast<char>((q(0) & 15U) | (q(2) & 15U) << 4);
        low[64 * h + 32 + l] = static_cast<char>((q(1) & 15U) | (q(3) & 15U) << 4);
        high[32 * h + l] = static_cast<char>(q(0) >> 4 | q(1) >> 4 << 2 | q(2) >> 4 << 4 | q(3) >> 4 << 6);
      }
    for (std::size_t j = 0; j < 16; ++j) scales += static_cast<char>(sc[j]);
    return low + high + scales + testing::halves({scale});
  }
};

class KQuants : public ::testing::TestWithParam<Dtype> {
 protected:
  TempFolder folder_;
  KLayer layer_{GetParam()};
  bool has_minimum_ = GetParam() != Dtype::kQ6_K;
};
INSTANTIATE_TEST_SUITE_P(Gguf, KQuants, ::testing::Values(Dtype::kQ4_K, Dtype::kQ5_K, Dtype::kQ6_K));

TEST_P(KQuants, DequantizeByDefinition) {
  const io::Checkpoint checkpoint = layer_.write(folder_.path() / "a.gguf");
  for (const MinimumRule rule : {MinimumRule::kTied, MinimumRule::kFixed}) {
    const PackedWeight weight = load_weight(checkpoint, layer_.request(), {.minimum_rule = rule});
    EXPECT_EQ(weight.scale_shape, (std::vector<std::int64_t>{3, 2}));
    EXPECT_EQ(weight.scales, layer_.d);
    for (const bool rounded : {false, true}) {
      const std::vector<float> values = dequantized(weight, {.rounded = rounded});
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_NEAR(values[i], layer_.expected(i), 2e-5) << "element " << i;  // of values up to 300
    }
  }
}

// All parts of a block move by the same factor, and their zero points stay.
TEST_P(KQuants, TiedMinimaFollowTheScaleOfTheirBlock) {
  layer_.d[1] = 0.0F;
  const io::Checkpoint checkpoint = layer_.write(folder_.path() / "a.gguf");
  PackedWeight weight = load_weight(checkpoint, layer_.request(), {});
  weight.trainable = true;
  const RampNoise noise;
  const kernels::Probe probe{.noise = &noise, .eps = 0.01F, .mode = kernels::EpsMode::kRelative};
  ScaleBuffers buffers;
  const EffectiveScales scales = effective_scales(weight, {.probe = &probe}, buffers);
  const std::vector<float> base = dequantized(weight);
  const std::vector<float> plus = dequantized(weight, scales.plus), minus = dequantized(weight, scales.minus);
  for (std::size_t i = 0; i < base.size(); ++i) {
    const std::size_t block = i / 256;
    const bool constant = block == 1 && has_minimum_;
    const double step = constant ? 0.0 : 0.01 * (1.0 + static_cast<double>(block) / 8);
    ASSERT_NEAR(plus[i], base[i] * (1 + step), 1e-4) << i;
    ASSERT_NEAR(minus[i], base[i] * (1 - step), 1e-4) << i;
  }
}

TEST_P(KQuants, UntouchedBlocksExportToTheSameBytesAndMovedOnesOnlyInD) {
  layer_.d = {-0.0F, 0x1p-24F, -0x1.8p-16F, 65504.0F, 0.0F, -0.3330078F};
  layer_.dmin = {-0.0F, 65504.0F, 0x1p-24F, -1.7001953F, 12.296875F, 0.7001953F};
  const io::Checkpoint checkpoint = layer_.write(folder_.path() / "a.gguf");
  PackedWeight weight = load_weight(checkpoint, layer_.request(), {});
  io::export_checkpoint(checkpoint, scale_writes(weight), folder_.path() / "b.gguf");
  EXPECT_EQ(testing::read_bytes(folder_.path() / "a.gguf"), testing::read_bytes(folder_.path() / "b.gguf"));

  weight.scales[5] *= 1.25F;
  io::export_checkpoint(checkpoint, scale_writes(weight), folder_.path() / "c.gguf");
  const io::Checkpoint tuned = io::open_checkpoint(folder_.path() / "c.gguf");
  const std::vector<io::ScaleField> fields = scale_fields(checkpoint);
  EXPECT_EQ(fields.size(), has_minimum_ ? 2u : 1u);
  const io::DiffReport report = io::diff_checkpoints(checkpoint, tuned, fields);
  EXPECT_TRUE(report.scales_only());
  ASSERT_FALSE(report.identical());
  const PackedWeight back = load_weight(tuned, layer_.request(), {});
  EXPECT_EQ(back.scales[5], core::half_to_float(core::float_to_half(layer_.d[5] * 1.25F)));
  EXPECT_EQ(dequantized(back, {.rounded = true}), dequantized(weight, {.rounded = true}));
}

TEST_P(KQuants, NonFiniteScalesAreRefusedByBlock) {
  layer_.d[4] = NAN;
  const io::Checkpoint bad = layer_.write(folder_.path() / "d.gguf");
  expect_user_error([&] { load_weight(bad, layer_.request(), {}); },
                    {"d.gguf: tensor \"proj.weight\"", "d of block 4 is nan"});
  if (!has_minimum_) return;
  layer_.d[4] = 1;
  layer_.dmin[2] = INFINITY;
  const io::Checkpoint bad_minimum = layer_.write(folder_.path() / "m.gguf");
  expect_user_error([&] { load_weight(bad_minimum, layer_.request(), {}); }, {"dmin of block 2 is inf"});
}

}  // namespace
}  // namespace qzo::quant
