// The 46 texts of llama.cpp's vocabulary tests, for each vocabulary in each form that is at hand, and spot checks whose
// ids stand in shared/docs/formats.md 12.3.

#include <algorithm>
#include <functional>
#include <map>
#include <sstream>

#include "qzo/core/fs.h"

#include "unit/tokenizer/vocabularies.h"

namespace qzo::tests {

namespace {

constexpr std::size_t kCases = 46;

struct Golden {
  std::string name;      // of this test
  std::string expected;  // ggml-vocab-<expected>.gguf.out
  std::string file;      // skipped if absent
  std::function<std::unique_ptr<tokenizer::Tokenizer>()> load;
};

std::filesystem::path in(const char* name) { return vocabularies() / name; }

Golden gguf(const std::string& name) {
  const std::filesystem::path file = vocabularies() / "llamacpp_vocab" / ("ggml-vocab-" + name + ".gguf");
  return {"gguf_" + name, name, file.string(), [file] { return tokenizer::from_gguf(read_gguf_vocabulary(file)); }};
}

std::vector<Golden> goldens() {
  std::vector<Golden> out = {gguf("gpt-2"), gguf("llama-spm"), gguf("phi-3")};
  out.push_back({"gpt2_merges", "gpt-2", in("gpt2/vocab.json").string(), [] {
                   return tokenizer::from_vocab_and_merges(in("gpt2/vocab.json"), in("gpt2/merges.txt"), "gpt-2");
                 }});
  out.push_back({"qwen3_merges", "qwen2", in("qwen3/vocab.json").string(), [] {
                   return tokenizer::from_vocab_and_merges(in("qwen3/vocab.json"), in("qwen3/merges.txt"), "qwen2");
                 }});
  out.push_back({"qwen3_folder", "qwen2", in("qwen3").string(), [] { return tokenizer::from_folder(in("qwen3")); }});
  out.push_back({"llama3_ranks", "llama-bpe", in("llama3/tokenizer.model").string(),
                 [] { return tokenizer::from_tokenizer_model(in("llama3/tokenizer.model")); }});
  out.push_back({"llama2_sentencepiece", "llama-spm", in("llama2/tokenizer.model").string(),
                 [] { return tokenizer::from_tokenizer_model(in("llama2/tokenizer.model")); }});
  out.push_back({"llama2_json", "llama-spm", in("llama2/tokenizer.json").string(),
                 [] { return tokenizer::from_tokenizer_json(in("llama2/tokenizer.json")); }});
  // MPT took over GPT-NeoX's vocabulary; this old file does not name its pre-tokenizer.
  out.push_back({"gguf_gpt_neox_as_mpt", "mpt", in("llamacpp_vocab/ggml-vocab-gpt-neox.gguf").string(), [] {
                   auto vocabulary = read_gguf_vocabulary(in("llamacpp_vocab/ggml-vocab-gpt-neox.gguf"));
                   vocabulary.pre = "gpt-2";
                   return tokenizer::from_gguf(vocabulary);
                 }});
  return out;
}

std::vector<std::string> texts(const std::string& name) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string all = core::read_file(vocabularies() / "llamacpp_vocab" / ("ggml-vocab-" + name + ".gguf.inp"));
  std::vector<std::string> out;
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t end = std::min(all.find(separator, from), all.size());
    out.push_back(all.substr(from, end - from));
    from = end + separator.size();
  }
  out.resize(std::min(out.size(), kCases));
  return out;
}

std::vector<Ids> expected_ids(const std::string& name) {
  std::istringstream lines(core::read_file(vocabularies() / "llamacpp_vocab" / ("ggml-vocab-" + name + ".gguf.out")));
  std::vector<Ids> out;
  for (std::string line; std::getline(lines, line) && out.size() < kCases;) {
    std::istringstream numbers(line);
    Ids& ids = out.emplace_back();
    for (std::int32_t id = 0; numbers >> id;) ids.push_back(id);
  }
  return out;
}

// Ids of "Hello world" and " Hello world".
const std::map<std::string, std::pair<Ids, Ids>>& spots() {
  static const std::map<std::string, std::pair<Ids, Ids>> table = {
      {"gpt-2", {{15496, 995}, {18435, 995}}},          {"llama-spm", {{15043, 3186}, {29871, 15043, 3186}}},
      {"phi-3", {{15043, 3186}, {29871, 15043, 3186}}}, {"llama-bpe", {{9906, 1917}, {22691, 1917}}},
      {"qwen2", {{9707, 1879}, {21927, 1879}}},         {"mpt", {{12092, 1533}, {24387, 1533}}},
  };
  return table;
}

class GoldenTest : public testing::TestWithParam<Golden> {};

}  // namespace

TEST_P(GoldenTest, AllTexts) {
  const Golden& golden = GetParam();
  if (!std::filesystem::exists(golden.file)) GTEST_SKIP() << golden.file << " is absent";
  const auto tokenizer = golden.load();
  const std::vector<std::string> inputs = texts(golden.expected);
  const std::vector<Ids> expected = expected_ids(golden.expected);
  ASSERT_EQ(inputs.size(), kCases);
  ASSERT_EQ(expected.size(), kCases);
  for (std::size_t i = 0; i < kCases; ++i) {
    EXPECT_EQ(tokenizer->encode(inputs[i]), expected[i]) << "text " << i << ": " << inputs[i];
    EXPECT_EQ(tokenizer->decode(expected[i]), inputs[i]) << "text " << i;
  }
  EXPECT_EQ(tokenizer->encode("Hello world"), spots().at(golden.expected).first);
  EXPECT_EQ(tokenizer->encode(" Hello world"), spots().at(golden.expected).second);
  EXPECT_EQ(tokenizer->encode(""), Ids{});
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, GoldenTest, testing::ValuesIn(goldens()), [](const auto& test) {
  std::string name = test.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(GoldenSpots, Llama2AndPhi2) {
  if (!std::filesystem::exists(vocabularies())) GTEST_SKIP() << vocabularies() << " is absent";
  const std::string text = "Hello world! éà 12345";
  const Ids llama2 = {15043, 3186, 29991, 904, 30001, 29871, 29896, 29906, 29941, 29946, 29945};
  EXPECT_EQ(tokenizer::from_tokenizer_json(in("llama2/tokenizer.json"))->encode(text), llama2);
  EXPECT_EQ(tokenizer::from_tokenizer_model(in("llama2/tokenizer.model"))->encode(text), llama2);
  const auto phi2 = tokenizer::from_tokenizer_json(in("phi2/tokenizer.json"));
  EXPECT_EQ(phi2->encode(text), (Ids{15496, 995, 0, 38251, 24247, 17031, 2231}));
  // Runs of spaces and tabs are added tokens there, the longest first: 31 spaces and 2, 9 tabs.
  EXPECT_EQ(phi2->encode(std::string(33, ' ')), (Ids{50257, 50286}));
  EXPECT_EQ(phi2->encode(std::string(9, '\t')), (Ids{50287}));
  EXPECT_EQ(phi2->vocabulary_size(), 50295);
}

TEST(GoldenSpots, SpecialTokensOfTheLlamas) {
  if (!std::filesystem::exists(vocabularies())) GTEST_SKIP() << vocabularies() << " is absent";
  const auto llama3 = tokenizer::from_tokenizer_model(in("llama3/tokenizer.model"));
  EXPECT_EQ(llama3->vocabulary_size(), 128256);
  EXPECT_EQ(llama3->bos(), 128000);
  EXPECT_EQ(llama3->eos(), 128001);
  EXPECT_TRUE(llama3->adds_bos());
  EXPECT_EQ(llama3->encode("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"),
            (Ids{128000, 128006, 882, 128007, 271, 13347, 128009}));
  EXPECT_EQ(llama3->encode("<|reserved_special_token_1|><|reserved_special_token_2|><|reserved_special_token_245|>"),
            (Ids{128003, 128012, 128255}));
  EXPECT_EQ(llama3->decode({128000, 13347, 128009}), "<|begin_of_text|>Hi<|eot_id|>");
  EXPECT_EQ(llama3->decode({128000, 13347, 128009}, true), "Hi");

  const auto llama2 = tokenizer::from_tokenizer_json(in("llama2/tokenizer.json"));
  EXPECT_EQ(llama2->bos(), 1);
  EXPECT_TRUE(llama2->adds_bos());
  EXPECT_EQ(llama2->encode("<s>Hello</s>"), (Ids{1, 15043, 2}));
  EXPECT_EQ(llama2->decode({1, 15043, 3186, 2}), "<s> Hello world</s>");
  EXPECT_EQ(llama2->decode({1, 15043, 3186, 2}, true), "Hello world");
  EXPECT_EQ(llama2->decode({243, 162, 157, 131}), "\xF0\x9F\x9A\x80");  // four byte tokens
  EXPECT_EQ(llama2->decode({243, 162}), "\xF0\x9F");                    // an unfinished character stays as it is
}

TEST(GoldenSpots, OtherKindsAreRefusedByName) {
  if (!std::filesystem::exists(vocabularies())) GTEST_SKIP() << vocabularies() << " is absent";
  const auto expect = [](const std::string& sentence, const char* file, const char* component) {
    EXPECT_NE(sentence.find(file), std::string::npos) << sentence;
    EXPECT_NE(sentence.find(component), std::string::npos) << sentence;
  };
  // An old conversion that does not name its pre-tokenizer.
  expect(user_error([] { gguf("gpt-neox").load(); }), "ggml-vocab-gpt-neox.gguf", "the pre-tokenizer has no name");
}

TEST(GoldenSpots, OtherSentencePieceModels) {
  if (!std::filesystem::exists(vocabularies())) GTEST_SKIP() << vocabularies() << " is absent";
  for (const char* name : {"mistral/tokenizer.model.v1", "mistral/mistral_instruct_tokenizer_240216.model.v2",
                           "mistral/mistral_instruct_tokenizer_240323.model.v3"}) {
    const auto tokenizer = tokenizer::from_tokenizer_model(in(name));
    const std::string text = "The quick brown fox, two  spaces\nand a \xF0\x9F\x9A\x80.";
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << name;
    EXPECT_EQ(tokenizer->bos(), 1) << name;
    EXPECT_EQ(tokenizer->eos(), 2) << name;
    EXPECT_TRUE(tokenizer->adds_bos()) << name;
    // The model alone never makes a control symbol of text; a folder's tokenizer_config.json can name it as a token.
    EXPECT_GT(tokenizer->encode("<s>").size(), 1u) << name;
  }
  // 105 pieces, no byte pieces, trained with repeated spaces removed.
  const auto small = tokenizer::from_tokenizer_model(in("tinystories/tok105.model"));
  EXPECT_EQ(small->vocabulary_size(), 105);
  EXPECT_EQ(small->decode(small->encode("the dog  and the cat")), "the dog and the cat");
}

}  // namespace qzo::tests
