// What a tokenizer.json may say and what is refused, on a vocabulary of a few letters.

#include "qzo/core/json_file.h"

#include "unit/tokenizer/vocabularies.h"

namespace qzo::tests {

namespace {

core::Json small() {
  return core::parse_json(R"({
    "added_tokens": [{"id": 6, "content": "<s>", "special": true, "normalized": false}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3, " ": 4, "abc": 5},
              "merges": ["a b", ["ab", "c"]]}})",
                          "small");
}

std::unique_ptr<tokenizer::Tokenizer> load(const core::Json& document) {
  return tokenizer::from_tokenizer_json_text(document.dump(), "model/tokenizer.json");
}

// The document with `value` at `pointer` must be refused with a sentence that holds all of `parts`.
void expect_refusal(const char* pointer, const char* value, const std::vector<std::string>& parts) {
  core::Json document = small();
  document[core::Json::json_pointer(pointer)] = core::parse_json(value, "test");
  const std::string sentence = user_error([&] { load(document); });
  EXPECT_EQ(sentence.find("model/tokenizer.json"), 0u) << sentence;
  for (const std::string& part : parts)
    EXPECT_NE(sentence.find(part), std::string::npos) << part << " in: " << sentence;
}

}  // namespace

TEST(TokenizerJson, ReadsBothFormsOfMerges) {
  const auto tokenizer = load(small());
  EXPECT_EQ(tokenizer->encode("abcab ab"), (Ids{5, 2, 4, 2}));
  EXPECT_EQ(tokenizer->encode("<s>ab"), (Ids{6, 2}));
  EXPECT_EQ(tokenizer->decode({6, 5}), "<s>abc");
  EXPECT_EQ(tokenizer->decode({6, 5}, true), "abc");
  EXPECT_EQ(tokenizer->decode({5, 7, -1, 1000}), "abc");  // ids without a token
  EXPECT_EQ(tokenizer->vocabulary_size(), 7);
  EXPECT_EQ(tokenizer->description(), "BPE, 7 tokens");
  EXPECT_EQ(tokenizer->bos(), std::nullopt);
  EXPECT_FALSE(tokenizer->adds_bos());
}

TEST(TokenizerJson, MergesWithSpacesInside) {
  core::Json document = small();
  document["model"]["vocab"]["b "] = 7;
  document["model"]["merges"] = core::parse_json(R"([["b", " "]])", "test");
  EXPECT_EQ(load(document)->encode("ab "), (Ids{0, 7}));
}

TEST(TokenizerJson, PostProcessorTellsTheBos) {
  core::Json document = small();
  const char* with_bos = R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [6], "tokens": ["<s>"]}}})";
  document["post_processor"] = core::parse_json(with_bos, "test");
  EXPECT_TRUE(load(document)->adds_bos());
  EXPECT_EQ(load(document)->bos(), 6);
  EXPECT_EQ(load(document)->encode("a"), (Ids{0}));  // encode() itself never adds it
  document["post_processor"] = {{"type", "Sequence"},
                                {"processors", {{{"type", "ByteLevel"}}, core::parse_json(with_bos, "test")}}};
  EXPECT_EQ(load(document)->bos(), 6);
  document["post_processor"]["processors"][1]["single"] = core::parse_json(R"([{"Sequence": {"id": "A"}}])", "test");
  EXPECT_FALSE(load(document)->adds_bos());
}

TEST(TokenizerJson, AffixesMayBeEmptyButNotUsed) {
  core::Json document = small();
  document["model"]["continuing_subword_prefix"] = "";
  document["model"]["end_of_word_suffix"] = "";
  document["model"]["dropout"] = 0.0;
  EXPECT_EQ(load(document)->encode("ab"), (Ids{2}));
  expect_refusal("/model/continuing_subword_prefix", R"("##")", {"model.continuing_subword_prefix", "\"##\""});
  expect_refusal("/model/end_of_word_suffix", R"("</w>")", {"end_of_word_suffix without", "ByteLevel"});
  expect_refusal("/model/dropout", "0.1", {"model.dropout", "dropout"});
}

TEST(TokenizerJson, ComponentsThatAreNotImplementedAreNamed) {
  expect_refusal("/model/type", R"("WordPiece")", {"model type \"WordPiece\" is not implemented"});
  expect_refusal("/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": ""})",
                 {"normalizer.precompiled_charsmap", "expected base64"});
  expect_refusal("/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "////fwAA"})",
                 {"normalizer.precompiled_charsmap", "the character map of 6 bytes"});
  expect_refusal("/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "BertNormalizer"}]})",
                 {"normalizer.normalizers[1]", "\"BertNormalizer\" is not implemented"});
  expect_refusal("/pre_tokenizer", R"({"type": "Whitespace"})", {"pre_tokenizer", "\"Whitespace\""});
  expect_refusal("/pre_tokenizer", R"({"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"}]})",
                 {"pre_tokenizer.pretokenizers[0]", "\"BertPreTokenizer\""});
  expect_refusal("/decoder", R"({"type": "WordPiece"})", {"decoder", "\"WordPiece\" is not implemented"});
  expect_refusal("/post_processor", R"({"type": "BertProcessing"})", {"post_processor", "\"BertProcessing\""});
  expect_refusal("/post_processor", R"({"type": "RobertaProcessing", "cls": ["<s>"]})",
                 {"post_processor.cls", "its id"});
}

TEST(TokenizerJson, OptionsOfComponentsAreChecked) {
  expect_refusal("/pre_tokenizer",
                 R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})",
                 {"pre_tokenizer.pretokenizers[1]", "ByteLevel must be the last"});
  expect_refusal("/pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"})",
                 {"pre_tokenizer.pattern.Regex", "does not compile"});
  expect_refusal("/pre_tokenizer", R"({"type": "Split", "pattern": "a", "behavior": "Isolated"})",
                 {"pre_tokenizer.pattern", "expected an object"});
  expect_refusal("/pre_tokenizer", R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Apart"})",
                 {"pre_tokenizer.behavior", "\"Apart\""});
  expect_refusal("/pre_tokenizer",
                 R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "add_prefix_space": false})",
                 {"pre_tokenizer.prepend_scheme", "contradicts"});
  expect_refusal("/decoder", R"({"type": "Strip", "content": " ", "start": -1, "stop": 0})",
                 {"decoder.start", "not negative"});
  expect_refusal("/normalizer", R"({"type": "Prepend"})", {"normalizer", "\"prepend\" is missing"});
}

TEST(TokenizerJson, VocabularyAndMergesMustFit) {
  expect_refusal("/model/vocab/b", "0", {"model.vocab", "the id 0", "\"a\"", "\"b\""});
  expect_refusal("/model/vocab/b", "-1", {"model.vocab", "found -1"});
  expect_refusal("/model/vocab/b", "99999999999", {"model.vocab", "found 99999999999"});
  expect_refusal("/model/vocab/b", R"("1")", {"model.vocab", "\"b\" is not an integer"});
  expect_refusal("/model/merges/0", R"("a x")", {"merge 1", "\"x\"", "not in the vocabulary"});
  expect_refusal("/model/merges/0", R"("b a")", {"merge 1", "\"ba\"", "not in the vocabulary"});
  expect_refusal("/model/merges/0", R"("ab")", {"model.merges[0]", "one space"});
  expect_refusal("/model/merges/0", R"("a b c")", {"model.merges[0]", "one space"});
  expect_refusal("/model/merges/0", R"(["a", "b", "c"])", {"model.merges[0]", "two tokens"});
  expect_refusal("/model/unk_token", R"("<unk>")", {"model.unk_token", "\"<unk>\" is not in the vocabulary"});
  expect_refusal("/model", R"({"type": "BPE", "vocab": {}})", {"model", "\"merges\" is missing"});
  expect_refusal("/added_tokens/0/id", "2", {"\"<s>\"", "\"ab\""});
  expect_refusal("/added_tokens/0/content", R"("c")", {"\"c\" has the id 6", "3"});
  expect_refusal("/added_tokens/0/id", "4194304", {"added_tokens[0]", "found 4194304"});
}

TEST(TokenizerJson, Unigram) {
  core::Json document = small();
  document["model"] = core::parse_json(R"({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1], ["b", -1],
                                           ["ab", -2], ["ba", -1.5], ["bc", -9]]})",
                                       "test");
  EXPECT_EQ(load(document)->encode("ab"), (Ids{3}));           // as good as "a", "b", found first
  EXPECT_EQ(load(document)->encode("aba"), (Ids{1, 4}));       // -2.5 against -3
  EXPECT_EQ(load(document)->encode("bcxya"), (Ids{5, 0, 1}));  // "x" and "y" are one unknown
  EXPECT_EQ(load(document)->description(), "Unigram, 7 tokens");
  document["model"].erase("type");  // told by its vocabulary
  EXPECT_EQ(load(document)->encode("aba"), (Ids{1, 4}));
  document["model"]["unk_id"] = 6;
  EXPECT_NE(user_error([&] { load(document); }).find("unk_id is 6, but there are 6 tokens"), std::string::npos);
  document["model"]["vocab"][1] = core::Json::array({"a"});
  EXPECT_NE(user_error([&] { load(document); }).find("model.vocab[1]: expected a token and its score"),
            std::string::npos);
}

TEST(TokenizerJson, EndlessBacktrackingIsAnError) {
  core::Json document = small();
  document["pre_tokenizer"] =
      core::parse_json(R"({"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated"})", "test");
  const auto tokenizer = load(document);
  const std::string sentence = user_error([&] { (void)tokenizer->encode(std::string(40, 'a') + "b"); });
  EXPECT_NE(sentence.find("gave up"), std::string::npos) << sentence;
}

}  // namespace qzo::tests
