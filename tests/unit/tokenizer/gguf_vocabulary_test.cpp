#include <limits>

#include "unit/tokenizer/vocabularies.h"

namespace qzo::tests {

namespace {

tokenizer::GgufVocabulary byte_level() {
  tokenizer::GgufVocabulary out;
  out.file = "small.gguf";
  out.model = "gpt2";
  out.pre = "gpt-2";
  out.tokens = {"<|end|>",
                "a",
                "b",
                "ab",
                "\xC4\xA0",
                "\xC4\xA0"
                "a",
                "<user>"};
  out.token_types = {3, 1, 1, 1, 1, 1, 4};
  out.merges = {"a b", "\xC4\xA0 a"};
  out.eos = 0;
  return out;
}

tokenizer::GgufVocabulary sentencepiece() {
  tokenizer::GgufVocabulary out;
  out.file = "small.gguf";
  out.model = "llama";
  out.tokens = {"<unk>",
                "<s>",
                "</s>",
                "\xE2\x96\x81",
                "a",
                "b",
                "ab",
                "\xE2\x96\x81"
                "a",
                "<0xC3>",
                "<0xA9>",
                "ba"};
  out.token_types = {2, 3, 3, 1, 1, 1, 1, 1, 6, 6, 1};
  out.scores = {0, 0, 0, -10, -11, -12, -2, -1, 0, 0, -2};
  out.bos = 1;
  out.eos = 2;
  out.unknown = 0;
  return out;
}

template <class Change>
void expect_refusal(tokenizer::GgufVocabulary vocabulary, const Change& change, const std::string& part) {
  change(vocabulary);
  const std::string sentence = user_error([&] { tokenizer::from_gguf(vocabulary); });
  EXPECT_EQ(sentence.find("small.gguf"), 0u) << sentence;
  EXPECT_NE(sentence.find(part), std::string::npos) << part << " in: " << sentence;
}

}  // namespace

TEST(GgufVocabulary, ByteLevel) {
  const auto tokenizer = tokenizer::from_gguf(byte_level());
  EXPECT_EQ(tokenizer->encode("ab a<|end|><user>b"), (Ids{3, 5, 0, 6, 2}));
  EXPECT_EQ(tokenizer->decode({3, 5, 0, 6, 2}), "ab a<|end|><user>b");
  EXPECT_EQ(tokenizer->decode({3, 5, 0, 6, 2}, true), "ab a<user>b");  // user-defined tokens are text
  EXPECT_EQ(tokenizer->bos(), std::nullopt);
  EXPECT_EQ(tokenizer->eos(), 0);
  EXPECT_FALSE(tokenizer->adds_bos());
}

TEST(GgufVocabulary, FlagsOfTheFileWin) {
  tokenizer::GgufVocabulary vocabulary = byte_level();
  vocabulary.pre = "llama-bpe";
  EXPECT_TRUE(tokenizer::from_gguf(vocabulary)->adds_bos());  // the convention of that family
  vocabulary.add_bos = false;
  EXPECT_FALSE(tokenizer::from_gguf(vocabulary)->adds_bos());
  vocabulary.add_space_prefix = true;
  EXPECT_EQ(tokenizer::from_gguf(vocabulary)->encode("a"), (Ids{5}));
}

TEST(GgufVocabulary, DigitsAloneForSmolLm) {
  tokenizer::GgufVocabulary vocabulary = byte_level();
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"1", "2", "12"});
  vocabulary.token_types.insert(vocabulary.token_types.end(), {1, 1, 1});
  vocabulary.merges.push_back("1 2");
  EXPECT_EQ(tokenizer::from_gguf(vocabulary)->encode("12"), (Ids{9}));
  vocabulary.pre = "smollm";
  EXPECT_EQ(tokenizer::from_gguf(vocabulary)->encode("12 a"), (Ids{7, 8, 5}));
}

TEST(GgufVocabulary, SentencePiece) {
  const auto tokenizer = tokenizer::from_gguf(sentencepiece());
  EXPECT_EQ(tokenizer->encode("ab"), (Ids{7, 5}));       // the space in front merges first: score -1
  EXPECT_EQ(tokenizer->encode("bab"), (Ids{3, 10, 5}));  // ba and ab score alike: the leftmost
  EXPECT_EQ(tokenizer->encode("\xC3\xA9"), (Ids{3, 8, 9}));
  EXPECT_EQ(tokenizer->encode("\xE2\x82\xAC"), (Ids{3, 0}));  // no byte pieces: unknown
  EXPECT_EQ(tokenizer->encode("<s>a</s>"), (Ids{1, 7, 2}));
  EXPECT_EQ(tokenizer->encode(""), Ids{});
  EXPECT_EQ(tokenizer->decode({7, 5, 3, 8, 9}), "ab \xC3\xA9");
  EXPECT_EQ(tokenizer->decode({1, 7, 2}, true), "a");
  EXPECT_TRUE(tokenizer->adds_bos());
  EXPECT_EQ(tokenizer->bos(), 1);

  tokenizer::GgufVocabulary bare = sentencepiece();
  bare.add_space_prefix = false;
  EXPECT_EQ(tokenizer::from_gguf(bare)->encode("ab"), (Ids{6}));
  EXPECT_EQ(tokenizer::from_gguf(bare)->decode({7, 5}), " ab");
}

TEST(GgufVocabulary, MinusOneAsUnsignedMeansNone) {
  tokenizer::GgufVocabulary vocabulary = byte_level();
  vocabulary.bos = 4294967295;
  EXPECT_EQ(tokenizer::from_gguf(vocabulary)->bos(), std::nullopt);
}

TEST(GgufVocabulary, Refusals) {
  using Vocabulary = tokenizer::GgufVocabulary;
  expect_refusal(
      byte_level(), [](Vocabulary& v) { v.model = "bert"; }, "tokenizer.ggml.model \"bert\"");
  expect_refusal(
      byte_level(), [](Vocabulary& v) { v.pre = "poro-chat"; }, "\"poro-chat\" is not implemented (known: gpt-2");
  expect_refusal(
      byte_level(), [](Vocabulary& v) { v.pre = ""; }, "the pre-tokenizer has no name");
  expect_refusal(
      byte_level(), [](Vocabulary& v) { v.tokens.clear(); }, "tokenizer.ggml.tokens has 0 entries");
  expect_refusal(
      byte_level(), [](Vocabulary& v) { v.token_types.pop_back(); }, "token_type has 6 entries for 7 tokens");
  expect_refusal(
      byte_level(), [](Vocabulary& v) { v.eos = 7; }, "eos_token_id is 7");
  expect_refusal(
      byte_level(), [](Vocabulary& v) { v.merges.push_back("a c"); }, "merge 3 needs the token \"c\"");
  expect_refusal(
      byte_level(), [](Vocabulary& v) { v.merges.push_back("ab"); }, "tokenizer.ggml.merges[2]");
  expect_refusal(
      sentencepiece(), [](Vocabulary& v) { v.scores.clear(); }, "scores has 0 entries for 11 tokens");
  expect_refusal(
      sentencepiece(), [](Vocabulary& v) { v.scores[4] = std::numeric_limits<double>::quiet_NaN(); },
      "the score of token 4 is not a number");
  expect_refusal(
      sentencepiece(), [](Vocabulary& v) { v.token_types[4] = 7; }, "token_type[4] is 7; expected 1 to 6");
  expect_refusal(
      sentencepiece(), [](Vocabulary& v) { v.tokens[4] = "\xFF"; }, "token 4 is not valid UTF-8");
  expect_refusal(
      sentencepiece(), [](Vocabulary& v) { v.token_types[6] = 5; }, "the unused token 6 \"ab\"");
}

}  // namespace qzo::tests
