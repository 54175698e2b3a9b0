#include "qzo/optim/state_codec.h"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/core/json_file.h"

#include "support/each_isa.h"
#include "support/oracle.h"

namespace qzo::optim {
namespace {

using kernels::StateNorm;
using kernels::StateRounding;
using kernels::StateTable;

const std::map<std::string, StateTable> kTables = {{"de_signed", StateTable::kDeSigned},
                                                   {"de_unsigned", StateTable::kDeUnsigned},
                                                   {"de0_unsigned", StateTable::kDeUnsignedNo0},
                                                   {"linear_nozero", StateTable::kLinearUnsigned},
                                                   {"power2_nozero", StateTable::kPower2Unsigned}};

std::filesystem::path folder() { return tests::oracles() / "optim"; }

// Bits, so that -0 and 0 differ and NaN equals itself.
std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> out(values.size());
  std::memcpy(out.data(), values.data(), values.size() * sizeof(float));
  return out;
}

// "de_signed_4" -> table and bits.
kernels::StateCodec codec_of(const core::Json& row) {
  const auto name = row["table"].get<std::string>();
  kernels::StateCodec codec;
  codec.bits = row["bits"].get<int>();
  codec.table = kTables.at(name.substr(0, name.size() - 2));
  codec.norm = row["norm"] == "rank1" ? StateNorm::kRank1 : StateNorm::kBlock;
  if (!row["block"].is_null()) codec.block = row["block"].get<std::int64_t>();
  return codec;
}

std::vector<float> floats_of(std::span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(StateTables, golden) {
  if (!std::filesystem::exists(folder())) GTEST_SKIP() << "no golden tables at " << folder();
  const tests::OracleTensors file(folder() / "tables.safetensors");
  int compared = 0;
  for (const auto& [name, table] : kTables) {
    for (const int width : {4, 8}) {
      const std::string key = name + "_" + std::to_string(width);
      if (std::none_of(file.entries().begin(), file.entries().end(), [&](const auto& e) { return e.name == key; }))
        continue;
      const auto values = kernels::state_table(table, width), middle = kernels::state_midpoints(table, width);
      EXPECT_EQ(bits({values.begin(), values.end()}), bits(file.floats(key))) << key;
      EXPECT_EQ(bits({middle.begin(), middle.end()}), bits(file.floats(key + "_mid"))) << key;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 8);
}

TEST(StateCodec, golden_cases) {
  if (!std::filesystem::exists(folder())) GTEST_SKIP() << "no golden cases at " << folder();
  const tests::OracleTensors file(folder() / "quant_cases.safetensors");
  const core::Json cases = core::read_json(folder() / "quant_cases.json")["cases"];
  ASSERT_GE(cases.size(), 70U);
  test::for_each_isa([&] {
    for (const core::Json& row : cases) {
      const std::string prefix = row["case"].get<std::string>() + "/" + row["scheme"].get<std::string>();
      SCOPED_TRACE(prefix);
      const auto has = [&](const std::string& name) {
        return std::any_of(file.entries().begin(), file.entries().end(), [&](const auto& e) { return e.name == name; });
      };
      const auto key = row["input"].get<std::string>();
      std::vector<float> x = has(key) ? file.floats(key) : file.floats(row["case"].get<std::string>() + "/x");
      if (!has(key))
        for (float& value : x) value *= value;
      const bool grid = row["scheme"].get<std::string>().starts_with("bnb8");
      StateTensor state("s", codec_of(row), row["shape"].get<std::vector<std::int64_t>>(),
                        grid ? StateRounding::kGrid : StateRounding::kNearest);
      kernels::encode_state(state.view(), x.data());
      for (const StatePart& part : state.parts()) {
        const io::TensorEntry& want = file.entry(prefix + "/" + part.suffix.substr(1));
        ASSERT_EQ(want.bytes.size(), part.bytes.size()) << part.suffix;
        EXPECT_EQ(std::memcmp(want.bytes.data(), part.bytes.data(), part.bytes.size()), 0) << part.suffix;
      }
      if (!has(prefix + "/dequant")) continue;
      std::vector<float> decoded(x.size());
      kernels::decode_state(state.view(), decoded.data());
      EXPECT_EQ(bits(decoded), bits(file.floats(prefix + "/dequant")));
    }
  });
}

// lpmm: allocation rounds up, the kernel rounds down.
TEST(StateCodec, sizes_agree_at_odd_counts) {
  for (const std::int64_t count : {0, 1, 2, 127, 128, 129, 255, 256, 257, 1023, 1025, 4097}) {
    for (const auto& codec : {kSigned4, kRank1Linear4, kBlockLinear4, kSigned8, kUnsigned8, kPlain}) {
      StateTensor state("s", codec, {count});
      std::int64_t bytes = 0;
      for (const StatePart& part : state.parts()) bytes += static_cast<std::int64_t>(part.bytes.size());
      EXPECT_EQ(bytes, state.bytes());
      EXPECT_EQ(bytes, kernels::state_layout(codec, std::span(&count, 1)).bytes());
      std::vector<float> x(static_cast<std::size_t>(count), 0.5F), out(x);
      kernels::encode_state(state.view(), x.data());
      kernels::decode_state(state.view(), out.data());
      for (const float value : out) EXPECT_EQ(value, 0.5F);
    }
  }
}

TEST(StateCodec, block_sizes) {
  std::vector<float> x(3000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i)) * static_cast<float>(i % 97);
  for (const std::int64_t block : {16, 32, 64, 128, 256, 512, 1024}) {
    for (const int width : {4, 8}) {
      StateTensor state("s", {width, StateTable::kDeSigned, StateNorm::kBlock, block}, {3000});
      test::for_each_isa([&] {
        kernels::encode_state(state.view(), x.data());
        const auto scales = floats_of(state.parts()[1].bytes);
        ASSERT_EQ(scales.size(), static_cast<std::size_t>((3000 + block - 1) / block));
        for (std::size_t k = 0; k < scales.size(); ++k) {
          float most = 0;
          for (std::size_t i = k * static_cast<std::size_t>(block);
               i < std::min<std::size_t>(3000, (k + 1) * static_cast<std::size_t>(block)); ++i)
            most = std::max(most, std::abs(x[i]));
          EXPECT_EQ(scales[k], most) << block;
        }
        std::vector<float> out(x.size());
        kernels::decode_state(state.view(), out.data());
        for (std::size_t i = 0; i < x.size(); ++i)
          EXPECT_LE(std::abs(out[i] - x[i]),
                    scales[i / static_cast<std::size_t>(block)] * (width == 4 ? 0.1126F : 0.0071F))
              << i;
      });
    }
  }
  const std::int64_t count = 3000;
  for (const std::int64_t block : {0, 8, 48, 2048, -128})
    EXPECT_THROW(
        (void)kernels::state_layout({4, StateTable::kDeSigned, StateNorm::kBlock, block}, std::span(&count, 1)),
        core::InternalError);
}

TEST(StateCodec, every_code_survives_a_round_trip) {
  test::for_each_isa([] {
    for (const auto& [name, table] : kTables) {
      for (const int width : {4, 8}) {
        const auto values = kernels::state_table(table, width);
        StateTensor state("s", {width, table, StateNorm::kBlock, 256}, {static_cast<std::int64_t>(values.size())});
        const std::vector<float> x(values.begin(), values.end());
        std::vector<float> out(x.size());
        kernels::encode_state(state.view(), x.data());
        kernels::decode_state(state.view(), out.data());
        EXPECT_EQ(bits(out), bits(x)) << name << width;
      }
    }
  });
}

// All instruction sets and the definition (count the midpoints below the quotient) give the same codes.
TEST(StateCodec, codes_follow_the_definition) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(5000);
  for (float& value : x) value = std::pow(std::abs(normal(random)), 3.0F);
  test::for_each_isa([&] {
    for (const auto& [name, table] : kTables) {
      for (const int width : {4, 8}) {
        for (std::size_t i = 0; i < x.size(); ++i)
          x[i] = std::abs(x[i]) * (table == StateTable::kDeSigned && i % 3 == 0 ? -1.0F : 1.0F);
        StateTensor state("s", {width, table, StateNorm::kBlock, 128}, {static_cast<std::int64_t>(x.size())});
        kernels::encode_state(state.view(), x.data());
        const auto parts = state.parts();
        const auto scales = floats_of(parts[1].bytes);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const float n = x[i] / scales[i / 128];
          int want = 0;
          for (const float middle : kernels::state_midpoints(table, width)) want += n > middle ? 1 : 0;
          const auto byte = std::to_integer<int>(parts[0].bytes[width == 8 ? i : i / 2]);
          ASSERT_EQ(width == 8 ? byte : i % 2 == 0 ? byte & 15 : byte >> 4, want) << name << width << " element " << i;
        }
      }
    }
  });
}

TEST(StateCodec, stochastic_rounding_is_unbiased_and_replays) {
  constexpr int kCount = 1 << 16;
  std::vector<float> x(kCount, 0.3F), first(kCount), second(kCount);
  for (int i = 0; i < kCount; i += 128) x[static_cast<std::size_t>(i)] = 1.0F;
  for (const auto& codec : {kSigned4, kBlockLinear4, kSigned8}) {
    StateTensor state("s", codec, {kCount}, StateRounding::kStochastic);
    const auto decoded = [&](std::uint32_t step, std::vector<float>& out) {
      kernels::encode_state(state.view(), x.data(), {11, step}, 3);
      kernels::decode_state(state.view(), out.data());
    };
    decoded(1, first);
    double sum = 0;
    for (int i = 0; i < kCount; ++i)
      sum += i % 128 == 0 ? 0.0 : static_cast<double>(first[static_cast<std::size_t>(i)]);
    EXPECT_NEAR(sum / (kCount - kCount / 128), 0.3, 2e-3) << codec_text(codec);
    decoded(1, second);
    EXPECT_EQ(first, second);
    decoded(2, second);
    EXPECT_NE(first, second);
  }
}

TEST(StateCodec, codecs_that_do_not_exist_are_refused) {
  const std::int64_t shape[] = {10};
  EXPECT_THROW((void)kernels::state_layout({5, StateTable::kDeSigned, StateNorm::kBlock, 128}, shape),
               core::InternalError);
  EXPECT_THROW((void)kernels::state_layout({4, StateTable::kDeSigned, StateNorm::kBlock, 100}, shape),
               core::InternalError);
}

}  // namespace
}  // namespace qzo::optim
