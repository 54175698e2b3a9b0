#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include <gtest/gtest.h>

#include "qzo/core/dtype.h"
#include "qzo/core/half.h"
#include "qzo/core/hash.h"

namespace qzo::core {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Half, every_half_survives_the_round_trip) {
  for (std::uint32_t h = 0; h < 65536; ++h) {
    const float value = half_to_float(static_cast<std::uint16_t>(h));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
    } else {
      ASSERT_EQ(float_to_half(value), h);
    }
  }
}

TEST(Half, rounds_to_nearest_even_between_all_neighbours) {
  for (std::uint16_t h = 0; h < 0x7BFF; ++h) {
    const float low = half_to_float(h);
    const float high = half_to_float(static_cast<std::uint16_t>(h + 1));
    const float middle = low + (high - low) / 2;
    ASSERT_EQ(float_to_half(middle), h % 2 == 0 ? h : h + 1);
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0F)), h);
    ASSERT_EQ(float_to_half(std::nextafter(middle, high)), h + 1);
  }
  EXPECT_EQ(float_to_half(65519.996F), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_half(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(float_to_half(-0.0F), 0x8000);
}

TEST(Bfloat16, rounds_to_nearest_even) {
  EXPECT_EQ(float_to_bfloat16(1.0F), 0x3F80);
  EXPECT_EQ(float_to_bfloat16(1.00390625F), 0x3F80);
  EXPECT_EQ(float_to_bfloat16(1.01171875F), 0x3F82);
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::nanf("")))));
}

TEST(Hash, known_answers) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(bytes_of("")), 0U);
  EXPECT_EQ(crc32c(bytes_of("6789"), crc32c(bytes_of("12345"))), 0xE3069283U);
  Xxh3 pieces;
  pieces.update(bytes_of("hello "));
  pieces.update(bytes_of("world"));
  EXPECT_EQ(pieces.digest(), xxh3_64(bytes_of("hello world")));
}

TEST(Dtype, table) {
  EXPECT_EQ(dtype_info(Dtype::kQ4_1).name, "Q4_1");
  EXPECT_EQ(dtype_info(Dtype::kQ4_1).block_bytes, 20);
  EXPECT_EQ(dtype_info(Dtype::kQ6_K).block_bytes, 210);
  EXPECT_EQ(dtype_info(Dtype::kBF16).block_bytes, 2);
}

}  // namespace
}  // namespace qzo::core
