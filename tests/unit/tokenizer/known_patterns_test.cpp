// Matchers written by hand against the engine, on random texts made of what the patterns tell apart.

#include "tokenizer/known_patterns.h"

#include <random>

#include <gtest/gtest.h>

#include "qzo/core/text.h"

#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kParts = {"'",
                                                  "s",
                                                  "S",
                                                  "\xC5\xBF",
                                                  "t",
                                                  "re",
                                                  "RE",
                                                  "'ve",
                                                  "'lL",
                                                  "m",
                                                  "d",
                                                  "K",
                                                  "\xE2\x84\xAA",
                                                  "1",
                                                  "22",
                                                  "4444",
                                                  "\xC2\xBD",
                                                  "\xD9\xA3",
                                                  "\xE2\x85\xA7",
                                                  " ",
                                                  "  ",
                                                  "   ",
                                                  "\t",
                                                  "\n",
                                                  "\r\n",
                                                  "\r",
                                                  "\n\n",
                                                  "\xC2\xA0",
                                                  "\xE3\x80\x80",
                                                  "\xC2\x85",
                                                  "\xE2\x80\xA8",
                                                  "\xE2\x80\x8B",
                                                  "a",
                                                  "Word",
                                                  "\xC3\xA9",
                                                  "e\xCC\x81",
                                                  "\xE6\x97\xA5\xE6\x9C\xAC",
                                                  "\xD7\xA9",
                                                  "!",
                                                  "?!",
                                                  "(",
                                                  "_",
                                                  "\xF0\x9F\x9A\x80",
                                                  "\xE2\x96\x81",
                                                  "<|startoftext|>",
                                                  "<|endoftext|>",
                                                  "<|",
                                                  "\x1F",
                                                  "\x0B",
                                                  "\xEF\xAC\x86"};
  std::string out;
  const std::size_t parts = random() % 30;
  for (std::size_t i = 0; i < parts; ++i) {
    if (random() % 16 != 0) {
      out += kParts[random() % kParts.size()];
      continue;
    }
    const std::uint32_t code_point = static_cast<std::uint32_t>(random()) % 0x110000;
    if (code_point < 0xD800 || code_point >= 0xE000) append_code_point(out, code_point);
  }
  return out;
}

std::string matches_text(const Regex& regex, const std::string& text) {
  std::vector<Range> matches;
  regex.find_all(text, matches);
  std::string out;
  for (const Range& match : matches) out += core::text(match.begin, "-", match.end, " ");
  return out;
}

}  // namespace

TEST(KnownPatterns, MatchWhatTheEngineMatches) {
  std::mt19937 random(7);
  for (const std::string_view pattern : {kGpt2Pattern, kLlama3Pattern, kQwen2Pattern, kClipPattern, kSpacesPattern}) {
    ASSERT_NE(known_pattern(pattern), nullptr);
    const Regex fast(std::string(pattern), "fast");
    const Regex engine(std::string(pattern), "engine", Engine::kOniguruma);
    for (int i = 0; i < 20000; ++i) {
      const std::string text = random_text(random);
      ASSERT_EQ(matches_text(fast, text), matches_text(engine, text)) << pattern << "\n" << core::printable(text, 1000);
    }
  }
}

// Every character, so that the classes come from the same tables.
TEST(KnownPatterns, AllCharacters) {
  const Regex fast(std::string(kGpt2Pattern), "fast");
  const Regex engine(std::string(kGpt2Pattern), "engine", Engine::kOniguruma);
  for (std::uint32_t begin = 0; begin < 0x110000; begin += 0x400) {
    std::string text;
    for (std::uint32_t code_point = begin; code_point < begin + 0x400; ++code_point) {
      if (code_point < 0xD800 || code_point >= 0xE000) append_code_point(text, code_point);
    }
    ASSERT_EQ(matches_text(fast, text), matches_text(engine, text)) << begin;
  }
}

TEST(KnownPatterns, OtherPatternsAreTheEngines) {
  EXPECT_EQ(known_pattern("\\s"), nullptr);
  EXPECT_EQ(known_pattern(""), nullptr);
}

}  // namespace qzo::tokenizer
