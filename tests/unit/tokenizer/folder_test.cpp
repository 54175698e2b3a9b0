// Which of a folder's files counts for what.

#include "unit/tokenizer/vocabularies.h"

namespace qzo::tests {

namespace {

constexpr const char* kTokenizerJson = R"({"added_tokens": [{"id": 4, "content": "<s>", "special": true}],
  "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "post_processor": null,
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "</s>": 3}, "merges": ["a b"]}})";
constexpr const char* kVocabJson = R"({"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġa": 4, "<|endoftext|>": 5})";
constexpr const char* kMerges = "#version: 0.2\na b\nĠ a\n";

class FolderTest : public testing::Test {
 protected:
  std::unique_ptr<tokenizer::Tokenizer> load() const { return tokenizer::from_folder(folder_.path()); }
  std::string refusal() const {
    return user_error([&] { load(); });
  }
  void expect_refusal(const std::string& part) const {
    const std::string sentence = refusal();
    EXPECT_NE(sentence.find(part), std::string::npos) << part << " in: " << sentence;
  }

  TemporaryFolder folder_;
};

}  // namespace

TEST_F(FolderTest, NoTokenizer) { expect_refusal("holds no tokenizer"); }

TEST_F(FolderTest, TokenizerJsonComesFirst) {
  folder_.write("tokenizer.json", kTokenizerJson);
  folder_.write("tokenizer.model", "damaged");
  folder_.write("vocab.json", "damaged");
  folder_.write("merges.txt", "damaged");
  EXPECT_EQ(load()->encode("ab"), (Ids{2}));
  EXPECT_EQ(load()->bos(), std::nullopt);
  EXPECT_EQ(load()->eos(), std::nullopt);
}

TEST_F(FolderTest, BosAndEosByPrecedence) {
  folder_.write("tokenizer.json", kTokenizerJson);
  folder_.write("config.json", R"({"bos_token_id": 1, "eos_token_id": [2, 0]})");
  EXPECT_EQ(load()->bos(), 1);
  EXPECT_EQ(load()->eos(), 2);  // the first of a list
  folder_.write("special_tokens_map.json",
                R"({"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>"})");
  EXPECT_EQ(load()->bos(), 4);
  EXPECT_EQ(load()->eos(), 3);
  EXPECT_EQ(load()->encode("a</s>"), (Ids{0, 3}));  // named tokens are found in the text
  folder_.write("tokenizer_config.json", R"({"bos_token": null, "eos_token": "b", "add_bos_token": true})");
  EXPECT_EQ(load()->bos(), 4);  // null says nothing
  EXPECT_EQ(load()->eos(), 1);
  EXPECT_TRUE(load()->adds_bos());
  folder_.write("tokenizer_config.json", R"({"eos_token": "<eos>"})");
  expect_refusal("tokenizer_config.json: eos_token is \"<eos>\", which is not a token");
  folder_.write("tokenizer_config.json", R"({"add_bos_token": 1})");
  expect_refusal("tokenizer_config.json: add_bos_token: expected true or false");
}

TEST_F(FolderTest, AddBosWithoutBosAddsNothing) {
  folder_.write("tokenizer.json", kTokenizerJson);
  folder_.write("tokenizer_config.json", R"({"add_bos_token": true})");
  EXPECT_FALSE(load()->adds_bos());
}

TEST_F(FolderTest, AddedTokensDecoderCompletesTheVocabulary) {
  folder_.write("tokenizer.json", kTokenizerJson);
  folder_.write("tokenizer_config.json", R"({"added_tokens_decoder": {"4": {"content": "<s>", "special": true},
      "7": {"content": "<tool>", "normalized": false, "special": false}}, "bos_token": "<tool>"})");
  EXPECT_EQ(load()->encode("<tool>a<s>"), (Ids{7, 0, 4}));
  EXPECT_EQ(load()->bos(), 7);
  EXPECT_EQ(load()->vocabulary_size(), 8);
  folder_.write("tokenizer_config.json", R"({"added_tokens_decoder": {"5": {"content": "<s>"}}})");
  expect_refusal("\"<s>\" has the id 5");
  folder_.write("tokenizer_config.json", R"({"added_tokens_decoder": {"2": {"content": "<x>"}}})");
  expect_refusal("the id 2 is given to the added token \"<x>\" and to the token \"ab\"");
  folder_.write("tokenizer_config.json", R"({"added_tokens_decoder": {"two": {"content": "<x>"}}})");
  expect_refusal("found \"two\"");
}

TEST_F(FolderTest, VocabAndMergesByClass) {
  folder_.write("vocab.json", kVocabJson);
  folder_.write("merges.txt", kMerges);
  expect_refusal("tokenizer_config.json names none");
  folder_.write("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer"})");
  expect_refusal("names \"RobertaTokenizer\"");
  folder_.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2TokenizerFast"})");
  EXPECT_EQ(load()->encode("ab a<|endoftext|>"), (Ids{2, 4, 5}));
  EXPECT_EQ(load()->bos(), 5);
  EXPECT_EQ(load()->eos(), 5);
  EXPECT_EQ(load()->description(), "byte-level BPE, 6 tokens, pre-tokenizer gpt-2");
  folder_.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true})");
  EXPECT_EQ(load()->encode("a"), (Ids{4}));
  folder_.write("tokenizer_config.json", "{}");
  folder_.write("config.json", R"({"model_type": "qwen2"})");
  EXPECT_EQ(load()->description(), "byte-level BPE, 6 tokens, pre-tokenizer qwen2");
  EXPECT_EQ(load()->bos(), std::nullopt);
  EXPECT_EQ(load()->eos(), 5);
  folder_.write("merges.txt", "#version: 0.2\na b\nab\n");
  expect_refusal("merges.txt: line 3");
}

TEST_F(FolderTest, BrokenModelFiles) {
  folder_.write("tokenizer.model", "this is no model");
  expect_refusal("neither a SentencePiece model nor tiktoken ranks");
  folder_.write("tokenizer.model", "IQ== 0\nIg== 1\n");
  expect_refusal("holds 2 ranks; only Llama-3's 128000");
  folder_.write("tokenizer.model", "IQ== 0\nIg== 2\n");
  expect_refusal("expected a token in base64, a space and the rank 1");
}

TEST_F(FolderTest, SentencePieceWithAddedTokens) {
  const std::filesystem::path model = vocabularies() / "llama2" / "tokenizer.model";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << model << " is absent";
  folder_.copy(model);
  EXPECT_EQ(load()->encode("<s>Hello").size(), 4u);  // plain SentencePiece: "<s>" is text
  folder_.write("tokenizer_config.json",
                R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": false})");
  EXPECT_EQ(load()->encode("<s>Hello</s>world"), (Ids{1, 15043, 2, 3186}));  // a space in front of every section
  EXPECT_FALSE(load()->adds_bos());
  folder_.write("tokenizer_config.json",
                R"({"bos_token": "<s>", "eos_token": "</s>", "legacy": false,
                    "added_tokens_decoder": {"32000": {"content": "<tool>", "special": false}}})");
  EXPECT_EQ(load()->encode("Hello</s>world</s> world"), (Ids{15043, 2, 11526, 2, 3186}));  // only in front of the text
  EXPECT_EQ(load()->encode("<tool>"), (Ids{32000}));
  EXPECT_EQ(load()->vocabulary_size(), 32001);
  EXPECT_EQ(load()->decode({1, 15043, 32000, 2}, true), "Hello<tool>");
  folder_.write("tokenizer_config.json", R"({"bos_token": "<begin>"})");
  expect_refusal("\"<begin>\", which is not a token");
}

TEST_F(FolderTest, Llama3RanksTakeTheFoldersSpecialTokens) {
  const std::filesystem::path model = vocabularies() / "llama3" / "tokenizer.model";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << model << " is absent";
  folder_.copy(model);
  folder_.write("config.json", R"({"eos_token_id": [128001, 128008, 128009]})");
  folder_.write("tokenizer_config.json", R"({"bos_token": "<|begin_of_text|>",
      "added_tokens_decoder": {"128000": {"content": "<|begin_of_text|>", "special": true},
                               "128010": {"content": "<|renamed|>", "special": true}}})");
  EXPECT_EQ(load()->encode("<|begin_of_text|><|renamed|>"), (Ids{128000, 128010}));
  EXPECT_EQ(load()->eos(), 128001);
  EXPECT_EQ(load()->vocabulary_size(), 128011);
}

TEST(TinyModel, JsonAndGgufAgree) {
  const std::filesystem::path tiny = std::filesystem::path(QZO_SOURCE_DIR) / "tests" / "data" / "tiny";
  const auto json = tokenizer::from_folder(tiny / "gptq");
  const auto gguf = tokenizer::from_gguf(read_gguf_vocabulary(tiny / "tiny.gguf"));
  const std::string text = "<|begin|>The wood was  wet, 12 beds.\n\xC3\xA9 \xF0\x9F\x9A\x80<|end|>";
  EXPECT_EQ(json->encode(text), gguf->encode(text));
  EXPECT_EQ(json->decode(json->encode(text)), text);
  EXPECT_EQ(json->bos(), gguf->bos());
  EXPECT_EQ(json->eos(), gguf->eos());
  EXPECT_TRUE(json->adds_bos());
  EXPECT_TRUE(gguf->adds_bos());
}

}  // namespace qzo::tests
