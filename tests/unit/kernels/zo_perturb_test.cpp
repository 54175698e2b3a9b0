#include "qzo/kernels/zo_perturb.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "qzo/core/gaussian.h"
#include "qzo/core/json_file.h"
#include "qzo/core/philox.h"
#include "qzo/core/thread_pool.h"
#include "qzo/kernels/cpu_features.h"

#include "support/each_isa.h"
#include "support/floats.h"
#include "support/paths.h"

namespace qzo::kernels {
namespace {

std::vector<float> draw(NoiseKey key, std::uint32_t tensor, std::int64_t first, std::size_t count) {
  std::vector<float> z(count);
  PhiloxNoise(key).fill(tensor, first, z);
  return z;
}

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum / static_cast<double>(a.size());
}

TEST(Philox, known_answers) {
  const auto file = tests::oracles() / "philox4x32_10.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no golden vectors at " << file;
  const auto word = [](const core::Json& hex) {
    return static_cast<std::uint32_t>(std::stoul(hex.get<std::string>(), nullptr, 16));
  };
  const core::Json vectors = core::read_json(file);
  ASSERT_GE(vectors["vectors"].size(), 16U);
  for (const core::Json& vector : vectors["vectors"]) {
    core::PhiloxCounter counter;
    for (std::size_t i = 0; i < 4; ++i) counter[i] = word(vector["counter"][i]);
    const core::PhiloxCounter out = core::philox4x32_10(counter, {word(vector["key"][0]), word(vector["key"][1])});
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(out[i], word(vector["output"][i]));
  }
}

TEST(Gaussian, matches_exact_box_muller) {
  std::vector<std::uint32_t> words = {0,          1,          2,          0x7FFFFFFF, 0x80000000,
                                      0xB504F333, 0xB504F334, 0xB504F335, 0xFFFFFFFF, 0xFFFFFFFE,
                                      0x20000000, 0x1FFFFFFF, 0x3FFFFFFF, 0xDFFFFFFF, 0xE0000000};
  std::mt19937 random(1);
  while (words.size() < 500000) words.push_back(static_cast<std::uint32_t>(random()));
  double worst = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint32_t w0 = words[i];
    const std::uint32_t w1 = words[(i * 7 + 3) % words.size()];
    const double radius = std::sqrt(-2 * std::log((w0 + 0.5) * 0x1p-32));
    const double angle = 2 * std::numbers::pi * (w1 + 0.5) * 0x1p-32;
    const core::NormalPair pair = core::gaussian_pair(w0, w1);
    ASSERT_TRUE(std::isfinite(pair.first) && std::isfinite(pair.second)) << w0 << " " << w1;
    worst = std::max(
        {worst, std::abs(pair.first - radius * std::cos(angle)), std::abs(pair.second - radius * std::sin(angle))});
  }
  EXPECT_LT(worst, 2e-6);
}

TEST(PhiloxNoise, addresses_counters_as_documented) {
  const NoiseKey key{0x123456789ABCDEFULL, 42, 3};
  const std::vector<float> z = draw(key, 77, 1000, 8);
  for (std::uint32_t quad = 0; quad < 2; ++quad) {
    const core::PhiloxCounter words = core::philox4x32_10({250 + quad, 3U << 24, 77, 0x1234567U}, {0x89ABCDEFU, 42});
    for (std::size_t half = 0; half < 2; ++half) {
      const core::NormalPair pair = core::gaussian_pair(words[2 * half], words[2 * half + 1]);
      EXPECT_EQ(z[quad * 4 + 2 * half], pair.first);
      EXPECT_EQ(z[quad * 4 + 2 * half + 1], pair.second);
    }
  }
}

TEST(PhiloxNoise, does_not_depend_on_chunks) {
  const NoiseKey key{9, 1, 0};
  const std::vector<float> whole = draw(key, 5, 0, 1000);
  for (const std::int64_t first : {0, 1, 2, 3, 4, 7, 129, 500}) {
    for (const std::size_t count : {1, 2, 3, 4, 5, 6, 129, 400}) {
      const std::vector<float> part = draw(key, 5, first, count);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first)) << first << " " << count;
    }
  }
}

// Word by word from the definition in core/, elements as the header says.
std::vector<float> draw_by_definition(NoiseKey key, std::uint32_t tensor, std::int64_t first, std::size_t count) {
  std::vector<float> z;
  for (std::int64_t element = first; z.size() < count; ++element) {
    const auto quad = static_cast<std::uint64_t>(element) / 4;
    const core::PhiloxCounter counter = {
        static_cast<std::uint32_t>(quad),
        static_cast<std::uint32_t>(quad >> 32 & 0xFFFFU) | static_cast<std::uint32_t>(key.direction) << 24, tensor,
        static_cast<std::uint32_t>(key.seed >> 32)};
    const core::PhiloxCounter words = core::philox4x32_10(counter, {static_cast<std::uint32_t>(key.seed), key.step});
    const std::size_t half = element % 4 < 2 ? 0 : 2;
    const core::NormalPair pair = core::gaussian_pair(words[half], words[half + 1]);
    z.push_back(element % 2 == 0 ? pair.first : pair.second);
  }
  return z;
}

TEST(PhiloxNoise, every_instruction_set_gives_the_bits_of_the_definition) {
  // The second starts before and ends behind the element at which the quad's number leaves 32 bits.
  const std::int64_t far = (std::int64_t{1} << 34) - 3001;
  test::for_each_isa([&] {
    EXPECT_TRUE(test::same_bits(draw({3, 8, 1}, 2, 5, 50001), draw_by_definition({3, 8, 1}, 2, 5, 50001)));
    const NoiseKey key{1ULL << 40, ~0U, 255};
    EXPECT_TRUE(test::same_bits(draw(key, ~0U, far, 6001), draw_by_definition(key, ~0U, far, 6001)));
  });
}

TEST(Perturb, every_instruction_set_gives_the_same_bits) {
  std::vector<float> master(5003);
  for (std::size_t i = 0; i < master.size(); ++i) master[i] = 1e-5F * static_cast<float>(i % 211) - 1e-4F;
  const PhiloxNoise noise({5, 6, 0});
  for (const EpsMode mode : {EpsMode::kAbsolute, EpsMode::kRelative}) {
    std::vector<float> expected;
    test::for_each_isa([&] {
      std::vector<float> all(master.size()), minus(master.size()), updated = master;
      perturb(master, {&noise, 0.37F, mode, Signs::kBoth}, 3, all.data(), nullptr);
      perturb(master, {&noise, 0.37F, mode, Signs::kBoth}, 3, nullptr, minus.data());
      update(updated, noise, 3, {1e-3F, mode, 1e-7F, false});
      for (const auto* part : {&minus, &updated}) all.insert(all.end(), part->begin(), part->end());
      if (expected.empty()) expected = all;
      EXPECT_TRUE(test::same_bits(all, expected));
    });
  }
}

TEST(Perturb, nothing_that_is_not_a_number_is_hidden_by_the_floor) {
  std::vector<float> master = {0.5F, std::nanf(""), 0.25F};
  update(master, PhiloxNoise({5, 6, 0}), 3, {std::nanf(""), EpsMode::kAbsolute, 1e-7F, false});
  for (const float value : master) EXPECT_TRUE(std::isnan(value));
}

TEST(PhiloxNoise, is_standard_normal) {
  const std::vector<float> z = draw({0, 0, 0}, 0, 0, 1 << 20);
  const auto n = static_cast<double>(z.size());
  double mean = 0, square = 0, fourth = 0;
  for (const float v : z) {
    mean += v / n;
    square += double{v} * v / n;
    fourth += std::pow(double{v}, 4) / n;
  }
  EXPECT_NEAR(mean, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(square, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(fourth, 3, 5 * std::sqrt(96 / n));
  std::vector<float> sorted = z;
  std::sort(sorted.begin(), sorted.end());
  double distance = 0;  // Kolmogorov-Smirnov
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double cumulative = 0.5 * std::erfc(-sorted[i] / std::sqrt(2.0));
    distance = std::max({distance, std::abs(cumulative - static_cast<double>(i) / n),
                         std::abs(cumulative - static_cast<double>(i + 1) / n)});
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(n));  // p = 0.001
}

TEST(PhiloxNoise, streams_are_independent) {
  constexpr std::size_t kCount = 1 << 16;
  const std::vector<float> base = draw({1, 1, 0}, 1, 0, kCount);
  const double bound = 5 / std::sqrt(double{kCount});
  EXPECT_LT(std::abs(correlation(base, draw({2, 1, 0}, 1, 0, kCount))), bound);
  EXPECT_LT(std::abs(correlation(base, draw({1ULL << 32 | 1, 1, 0}, 1, 0, kCount))), bound);
  EXPECT_LT(std::abs(correlation(base, draw({1, 2, 0}, 1, 0, kCount))), bound);
  EXPECT_LT(std::abs(correlation(base, draw({1, 1, 1}, 1, 0, kCount))), bound);
  EXPECT_LT(std::abs(correlation(base, draw({1, 1, 0}, 2, 0, kCount))), bound);
  EXPECT_LT(std::abs(correlation(base, draw({1, 1, 0}, 1, 1, kCount))), bound);
}

class PerturbModes : public testing::TestWithParam<EpsMode> {};

TEST_P(PerturbModes, follows_the_formula_and_leaves_the_master_alone) {
  const bool relative = GetParam() == EpsMode::kRelative;
  std::vector<float> master(40000);
  for (std::size_t i = 0; i < master.size(); ++i) master[i] = 0.001F * static_cast<float>(i % 97) - 0.02F;
  const std::vector<float> before = master;
  const PhiloxNoise noise({5, 6, 0});
  const std::vector<float> z = draw({5, 6, 0}, 3, 0, master.size());
  std::vector<float> plus(master.size()), minus(master.size());
  for (const int threads : {1, 2}) {
    core::set_thread_count(threads);
    perturb(master, {&noise, 0.01F, GetParam(), Signs::kBoth}, 3, plus.data(), minus.data());
    for (std::size_t i = 0; i < master.size(); ++i) {
      const float e = relative ? 0.01F * z[i] : 0.01F;
      const float factor = relative ? master[i] : z[i];
      ASSERT_EQ(plus[i], std::fma(e, factor, master[i])) << i;
      ASSERT_EQ(minus[i], std::fma(-e, factor, master[i])) << i;
    }
    EXPECT_EQ(master, before);
  }
  core::set_thread_count(0);
}

TEST_P(PerturbModes, update_moves_against_the_noise_and_respects_the_floor) {
  const bool relative = GetParam() == EpsMode::kRelative;
  std::vector<float> master = {0.5F, 1e-9F, 0.01F, -0.3F, 0.0F, 0.02F, 1e-7F, 3.0F};
  const std::vector<float> before = master;
  const PhiloxNoise noise({5, 6, 0});
  const std::vector<float> z = draw({5, 6, 0}, 3, 0, master.size());
  const float c = 0.7F;
  update(master, noise, 3, {c, GetParam(), 1e-7F, false});
  for (std::size_t i = 0; i < master.size(); ++i) {
    const float moved = relative ? std::fma(-(c * z[i]), before[i], before[i]) : std::fma(-c, z[i], before[i]);
    const float bound = std::min(1e-7F, before[i]);
    EXPECT_EQ(master[i], before[i] > 0 && moved < bound ? bound : moved) << i;
    if (before[i] > 0) {
      EXPECT_GE(master[i], std::min(before[i], 1e-7F));
    }
  }
  std::vector<float> free = before;
  update(free, noise, 3, {c, GetParam(), 1e-7F, true});
  for (std::size_t i = 0; i < free.size(); ++i) {
    EXPECT_EQ(free[i], relative ? std::fma(-(c * z[i]), before[i], before[i]) : std::fma(-c, z[i], before[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, PerturbModes, testing::Values(EpsMode::kAbsolute, EpsMode::kRelative));

}  // namespace
}  // namespace qzo::kernels
