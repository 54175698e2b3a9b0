#include "qzo/core/text.h"

#include <gtest/gtest.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"

namespace qzo::core {
namespace {

TEST(Text, joins_and_names_the_nearest) {
  EXPECT_EQ(text("a", 1, ':', 0.25), "a1:0.25");
  EXPECT_EQ(nearest_name("epz", {"lr", "eps", "clip"}), "eps");
  EXPECT_EQ(nearest_name("learning_rate", {"lr", "eps"}), "") << "another word is no typing error";
}

TEST(Text, globs) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("blk.3.*", "blk.3.attn_q"));
  EXPECT_FALSE(glob_match("blk.3.*", "blk.30.attn_q"));
  EXPECT_TRUE(glob_match("*.q_pro?", "model.layers.0.self_attn.q_proj"));
  EXPECT_TRUE(glob_match("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(glob_match("*a*b", "ab_"));
  EXPECT_FALSE(glob_match("", "a"));
}

TEST(Text, utf8) {
  EXPECT_TRUE(valid_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  for (const char* bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xC3", "\xFF"}) {
    EXPECT_FALSE(valid_utf8(bad));
    EXPECT_EQ(valid_utf8_length(std::string("\xC3\xA9") + bad), 2U);
  }
}

TEST(Text, amounts_and_quotes) {
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(98'362'432), "98.4 MB");
  EXPECT_EQ(human_bytes(7'240'000'000), "7.2 GB");
  EXPECT_EQ(human_seconds(75), "1 min 15 s");
  EXPECT_EQ(quoted("a\"b\n"), "\"a\\\"b\\x0a\"");
  EXPECT_EQ(quoted("abcdef", 3), "\"abc...\"");
  EXPECT_EQ(quoted("abc", 3), "\"abc\"");
  EXPECT_EQ(quoted("\xC3\xA9\xC3\xA9\xC3\xA9", 2), "\"\xC3\xA9\xC3\xA9...\"") << "characters are never cut";
  EXPECT_EQ(printable("\"a\xC3\\"), "\"a\\xc3\\");
  EXPECT_EQ(shape_text({4, 32}), "[4, 32]");
}

TEST(Check, failure_is_an_internal_error_with_values) {
  try {
    QZO_CHECK(1 > 2, "one is ", 1);
    FAIL();
  } catch (const InternalError& error) {
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("1 > 2"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("one is 1"), std::string::npos);
  }
}

}  // namespace
}  // namespace qzo::core
