#include "tokenizer/added_tokens.h"

#include <gtest/gtest.h>

namespace qzo::tokenizer {

namespace {

// "text|<3:text>|text": sections with the ids of tokens.
std::string split(const AddedTokenFinder& finder, std::string_view text) {
  std::vector<Section> sections;
  finder.split(text, sections);
  std::string out;
  for (const Section& section : sections) {
    if (!out.empty()) out += '|';
    out += section.id < 0 ? std::string(section.text)
                          : "<" + std::to_string(section.id) + ":" + std::string(section.text) + ">";
  }
  return out;
}

AddedTokenFinder finder_of(const std::vector<AddedToken>& tokens) {
  AddedTokenFinder finder;
  for (const AddedToken& token : tokens) finder.add(token, token.text);
  return finder;
}

}  // namespace

TEST(AddedTokens, LeftmostThenLongest) {
  const AddedTokenFinder finder =
      finder_of({{.id = 1, .text = "ab"}, {.id = 2, .text = "abcd"}, {.id = 3, .text = "bc"}, {.id = 4, .text = "  "}});
  EXPECT_EQ(split(finder, ""), "");
  EXPECT_EQ(split(finder, "none"), "none");
  EXPECT_EQ(split(finder, "xabcdx"), "x|<2:abcd>|x");
  EXPECT_EQ(split(finder, "abc"), "<1:ab>|c");
  EXPECT_EQ(split(finder, "xbcab"), "x|<3:bc>|<1:ab>");
  EXPECT_EQ(split(finder, "     "), "<4:  >|<4:  >| ");
}

TEST(AddedTokens, StripSwallowsUnicodeWhiteSpace) {
  const AddedTokenFinder finder = finder_of({{.id = 1, .text = "<l>", .left_strip = true},
                                             {.id = 2, .text = "<r>", .right_strip = true},
                                             {.id = 3, .text = "<p>"}});
  EXPECT_EQ(split(finder, "a \t<l> b"), "a|<1: \t<l>>| b");
  EXPECT_EQ(split(finder, "a <r> \n\xC2\xA0 b"), "a |<2:<r> \n\xC2\xA0 >|b");
  EXPECT_EQ(split(finder, "<r>  <l>"), "<2:<r>  >|<1:<l>>");  // no white space is swallowed twice
  EXPECT_EQ(split(finder, " <p> "), " |<3:<p>>| ");
}

TEST(AddedTokens, SingleWordKnowsUnicodeLetters) {
  const AddedTokenFinder finder = finder_of({{.id = 1, .text = "der", .single_word = true}});
  EXPECT_EQ(split(finder, "der"), "<1:der>");
  EXPECT_EQ(split(finder, "wieder, der-der der2"), "wieder, |<1:der>|-|<1:der>| der2");
  EXPECT_EQ(split(finder,
                  "\xC3\xBC"
                  "der der\xC3\xBC"),
            "\xC3\xBC"
            "der der\xC3\xBC");
  EXPECT_EQ(split(finder, "_der der_ (der)"), "_der der_ (|<1:der>|)");
}

TEST(AddedTokens, EmptyTextIsNowhere) {
  const AddedTokenFinder finder = finder_of({{.id = 1, .text = ""}});
  EXPECT_TRUE(finder.empty());
  EXPECT_EQ(split(finder, "abc"), "abc");
}

}  // namespace qzo::tokenizer
