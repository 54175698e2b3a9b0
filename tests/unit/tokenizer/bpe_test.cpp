// The merge loop against a plain reference, on random vocabularies and words.

#include "tokenizer/bpe.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

using Ids = std::vector<std::int32_t>;

struct Vocabulary {
  TextMap<std::int32_t> tokens;
  std::vector<MergeRule> merges;

  std::int32_t add(const std::string& text) {
    return tokens.emplace(text, static_cast<std::int32_t>(tokens.size())).first->second;
  }
};

// The definition: again and again, the pair of lowest rank, the leftmost among equals.
Ids merge_plainly(Ids ids, const std::vector<MergeRule>& merges) {
  while (true) {
    const MergeRule* best = nullptr;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      for (const MergeRule& rule : merges) {
        if (rule.left == ids[i] && rule.right == ids[i + 1] && (best == nullptr || rule.rank < best->rank)) {
          best = &rule;
          at = i;
        }
      }
    }
    if (best == nullptr) return ids;
    ids[at] = best->merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

// Merges are made the way training makes them: of two tokens that are there already.
Vocabulary random_vocabulary(std::mt19937& random, const std::vector<std::string>& alphabet, int merges) {
  Vocabulary out;
  std::vector<std::string> texts = alphabet;
  for (const std::string& text : alphabet) out.add(text);
  std::set<std::pair<std::int32_t, std::int32_t>> known;
  for (int i = 0; i < merges; ++i) {
    const std::string left = texts[random() % texts.size()];
    const std::string right = texts[random() % texts.size()];
    const std::int32_t left_id = out.tokens.at(left);
    const std::int32_t right_id = out.tokens.at(right);
    if (left.size() + right.size() > 12 || !known.emplace(left_id, right_id).second) continue;
    const std::int32_t merged = out.add(left + right);
    out.merges.push_back({left_id, right_id, merged, static_cast<std::uint32_t>(out.merges.size())});
    texts.push_back(left + right);
  }
  return out;
}

std::string random_word(std::mt19937& random, const std::vector<std::string>& alphabet, std::size_t characters) {
  std::string out;
  for (std::size_t i = 0; i < characters; ++i) out += alphabet[random() % alphabet.size()];
  return out;
}

Ids start_ids(const Vocabulary& vocabulary, const std::string& word) {
  Ids ids;
  for (std::size_t at = 0; at < word.size(); at += character_length(word[at])) {
    ids.push_back(vocabulary.tokens.at(word.substr(at, character_length(word[at]))));
  }
  return ids;
}

Ids encode(const Bpe& bpe, std::string_view word) {
  Ids ids;
  bpe.encode(word, ids);
  return ids;
}

}  // namespace

TEST(Bpe, EqualsTheDefinition) {
  std::mt19937 random(7);
  // Few characters give many ties and overlaps; the last alphabet leaves most seams without a rule.
  const std::vector<std::vector<std::string>> alphabets = {
      {"a", "b"}, {"a", "b", "\xC3\xA9", "\xE2\x96\x81"}, {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}};
  for (int round = 0; round < 60; ++round) {
    const auto& alphabet = alphabets[static_cast<std::size_t>(round) % alphabets.size()];
    const Vocabulary vocabulary = random_vocabulary(random, alphabet, 5 + round);
    // Nothing can be unknown, but without an unknown token words would never be cut at seams.
    const Bpe bpe(vocabulary.tokens, vocabulary.merges, {.alphabet = Alphabet::kCharacters, .unknown = 9999});
    for (const std::size_t characters : {1, 2, 3, 10, 40, 49, 120, 300}) {
      const std::string word = random_word(random, alphabet, characters);
      const Ids expected = merge_plainly(start_ids(vocabulary, word), vocabulary.merges);
      EXPECT_EQ(encode(bpe, word), expected) << word;
      EXPECT_EQ(encode(bpe, word), expected) << "from the cache: " << word;
    }
  }
}

TEST(Bpe, EqualRanksMergeLeftmostFirst) {
  Vocabulary vocabulary;
  const std::int32_t a = vocabulary.add("a");
  const std::int32_t aa = vocabulary.add("aa");
  const Bpe bpe(vocabulary.tokens, {{a, a, aa, 0}}, {.alphabet = Alphabet::kBytes, .unknown = {}});
  EXPECT_EQ(encode(bpe, "aaa"), (Ids{aa, a}));
  EXPECT_EQ(encode(bpe, "aaaaa"), (Ids{aa, aa, a}));
  EXPECT_EQ(encode(bpe, ""), Ids{});
}

TEST(Bpe, AMegabyteOfOneCharacter) {
  Vocabulary vocabulary;
  std::string text = "a";
  std::int32_t id = vocabulary.add(text);
  for (std::uint32_t rank = 0; rank < 10; ++rank) {
    text += text;
    const std::int32_t twice = vocabulary.add(text);
    vocabulary.merges.push_back({id, id, twice, rank});
    id = twice;
  }
  const Bpe bpe(vocabulary.tokens, vocabulary.merges, {.alphabet = Alphabet::kBytes, .unknown = {}});
  EXPECT_EQ(encode(bpe, std::string(1 << 20, 'a')), Ids(1 << 10, id));
}

TEST(Bpe, IgnoreMergesTakesWholeWords) {
  Vocabulary vocabulary;
  const std::int32_t a = vocabulary.add("a");
  const std::int32_t b = vocabulary.add("b");
  const std::int32_t whole = vocabulary.add("ab");  // no merge makes it
  const Bpe merges_only(vocabulary.tokens, {}, {.alphabet = Alphabet::kBytes, .unknown = {}});
  EXPECT_EQ(encode(merges_only, "ab"), (Ids{a, b}));
  const Bpe bpe(vocabulary.tokens, {}, {.alphabet = Alphabet::kBytes, .ignore_merges = true, .unknown = {}});
  EXPECT_EQ(encode(bpe, "ab"), (Ids{whole}));
  EXPECT_EQ(encode(bpe, "aba"), (Ids{a, b, a}));
}

TEST(Bpe, UnknownCharacters) {
  Vocabulary vocabulary;
  const std::int32_t a = vocabulary.add("a");
  const std::int32_t aa = vocabulary.add("aa");
  const std::int32_t unknown = vocabulary.add("<unk>");
  const std::vector<MergeRule> merges = {{a, a, aa, 0}};
  const std::string text =
      "a\xC3\xA9\xC3\xA8"
      "aa\xC3\xA9";
  const BpeOptions options{.alphabet = Alphabet::kCharacters, .unknown = unknown};
  EXPECT_EQ(encode(Bpe(vocabulary.tokens, merges, options), text), (Ids{a, unknown, unknown, aa, unknown}));
  BpeOptions fused = options;
  fused.fuse_unknown = true;
  const Bpe fusing(vocabulary.tokens, merges, fused);
  EXPECT_EQ(encode(fusing, text), (Ids{a, unknown, aa, unknown}));
  // A long run is cut into parts and fused again.
  std::string many;
  for (int i = 0; i < 200; ++i) many += "\xC3\xA9";
  EXPECT_EQ(encode(fusing, many), (Ids{unknown}));
  EXPECT_EQ(encode(fusing, "a" + many + "aa"), (Ids{a, unknown, aa}));
  // Without an unknown token they vanish, and what stood around them merges, however long the word is.
  BpeOptions none = options;
  none.unknown.reset();
  EXPECT_EQ(encode(Bpe(vocabulary.tokens, merges, none), "a" + many + "a"), (Ids{aa}));
}

TEST(Bpe, ByteFallback) {
  Vocabulary vocabulary;
  const std::int32_t a = vocabulary.add("a");
  const std::int32_t c3 = vocabulary.add("<0xC3>");
  const std::int32_t a9 = vocabulary.add("<0xA9>");
  const std::int32_t unknown = vocabulary.add("<unk>");
  const Bpe bpe(vocabulary.tokens, {}, {.alphabet = Alphabet::kCharacters, .byte_fallback = true, .unknown = unknown});
  EXPECT_EQ(encode(bpe, "a\xC3\xA9"), (Ids{a, c3, a9}));
  EXPECT_EQ(encode(bpe, "a\xC3\xA8"), (Ids{a, unknown}));  // not all of its bytes are tokens
}

TEST(Bpe, ImpliedMergesFollowRanksAndCharacters) {
  Vocabulary vocabulary;
  for (const char* text : {"a", "b", "\xC3\xA9", "ab", "b\xC3\xA9", "ab\xC3\xA9", "xy"}) vocabulary.add(text);
  const std::vector<std::uint32_t> ranks = {0, 0, 0, 5, 4, 6, 1};
  const std::vector<MergeRule> rules = implied_merges(vocabulary.tokens, ranks, Alphabet::kCharacters);
  EXPECT_EQ(rules.size(), 4u);  // ab; b|e; ab|e and a|be; no split of xy, none inside of a character
  const Bpe bpe(vocabulary.tokens, rules, {.alphabet = Alphabet::kCharacters, .unknown = 0});
  EXPECT_EQ(encode(bpe, "ab\xC3\xA9"), (Ids{5}));
  EXPECT_EQ(encode(bpe, "aab"), (Ids{0, 3}));
}

}  // namespace qzo::tokenizer
