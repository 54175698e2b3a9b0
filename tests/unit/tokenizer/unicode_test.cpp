#include "tokenizer/unicode.h"

#include <set>

#include <gtest/gtest.h>

namespace qzo::tokenizer {

TEST(Unicode, InvalidBytesBecomeReplacementCharacters) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(replace_invalid_utf8("plain \xC3\xA9 \xF0\x9F\x9A\x80"), "plain \xC3\xA9 \xF0\x9F\x9A\x80");
  EXPECT_EQ(replace_invalid_utf8("a\xFFz"), "a" + r + "z");
  EXPECT_EQ(replace_invalid_utf8("\xC3"), r);                  // cut off
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82z"), r + r + "z");   // cut off in the middle
  EXPECT_EQ(replace_invalid_utf8("\xC0\x80"), r + r);          // overlong
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), r + r + r);  // surrogate
  EXPECT_EQ(replace_invalid_utf8("\xF4\x90\x80\x80"), r + r + r + r);
}

TEST(Unicode, ByteAlphabetIsABijection) {
  std::set<std::string> characters;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const std::string& character = byte_characters()[byte];
    EXPECT_TRUE(characters.insert(character).second) << byte;
    EXPECT_EQ(characters_to_bytes(character), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(byte_characters()[' '], "\xC4\xA0");   // U+0120
  EXPECT_EQ(byte_characters()['\n'], "\xC4\x8A");  // U+010A
  EXPECT_EQ(byte_characters()['A'], "A");
  EXPECT_EQ(characters_to_bytes("a b"), std::nullopt);           // a space is not in the alphabet
  EXPECT_EQ(characters_to_bytes("\xE2\x96\x81"), std::nullopt);  // far outside
}

TEST(Unicode, Classes) {
  for (const std::uint32_t space : {0x20u, 0x9u, 0xDu, 0x85u, 0xA0u, 0x1680u, 0x2028u, 0x202Fu, 0x3000u}) {
    EXPECT_TRUE(is_white_space(space)) << space;
  }
  for (const std::uint32_t other : {0x1Cu, 0x200Bu, 0xFEFFu, 0x61u}) EXPECT_FALSE(is_white_space(other)) << other;
  for (const std::uint32_t number : {0x31u, 0xB2u, 0xBDu, 0x2167u, 0x663u}) EXPECT_TRUE(is_number(number)) << number;
  EXPECT_FALSE(is_number(0x4E00));  // the ideograph one is a letter
  for (const std::uint32_t word : {0x61u, 0x5Fu, 0x39u, 0x301u, 0x3042u, 0x200Du}) EXPECT_TRUE(is_word(word)) << word;
  for (const std::uint32_t other : {0x2Du, 0x20u, 0x2Eu, 0xBDu}) EXPECT_FALSE(is_word(other)) << other;
}

TEST(Unicode, NormalFormsAndLowercase) {
  EXPECT_EQ(normalize("e\xCC\x81", NormalForm::kNfc), "\xC3\xA9");
  EXPECT_EQ(normalize("\xC3\xA9", NormalForm::kNfd), "e\xCC\x81");
  EXPECT_EQ(normalize("\xEF\xAC\x81", NormalForm::kNfc), "\xEF\xAC\x81");  // the ligature fi stays
  EXPECT_EQ(normalize("\xEF\xAC\x81", NormalForm::kNfkc), "fi");
  EXPECT_EQ(normalize("\xEF\xAC\x81\xC3\xA9", NormalForm::kNfkd), "fie\xCC\x81");
  EXPECT_EQ(normalize(std::string("e\xCC\x81\0z", 5), NormalForm::kNfc), std::string("\xC3\xA9\0z", 4));
  EXPECT_EQ(lowercase("ABC \xC3\x89 \xCE\xA3"), "abc \xC3\xA9 \xCF\x83");
  EXPECT_EQ(lowercase("\xC4\xB0"), "i\xCC\x87");
}

}  // namespace qzo::tokenizer
