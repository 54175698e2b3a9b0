// What Hugging Face's tokenizers answered (scripts/make_tokenizer_cases.py): every implemented component on a small
// vocabulary, and SmolLM2's real one.

#include "qzo/core/json_file.h"
#include "qzo/core/text.h"

#include "unit/tokenizer/vocabularies.h"

namespace qzo::tests {

namespace {

std::filesystem::path fixtures() { return std::filesystem::path(QZO_SOURCE_DIR) / "tests" / "data" / "tokenizer"; }

}  // namespace

TEST(Reference, Components) {
  const core::Json file = core::read_json(fixtures() / "components.json");
  ASSERT_GE(file["cases"].size(), 50u);
  for (const core::Json& test : file["cases"]) {
    const auto name = test["name"].get<std::string>();
    core::Json document = test["tokenizer"];
    document["model"].update(file["vocabularies"][test["vocabulary"].get<std::string>()]);
    const auto tokenizer = tokenizer::from_tokenizer_json_text(document.dump(), name);
    ASSERT_EQ(test["answers"].size(), file["texts"].size());
    for (std::size_t i = 0; i < file["texts"].size(); ++i) {
      const auto text = file["texts"][i].get<std::string>();
      const core::Json& answer = test["answers"][i];
      const auto ids = answer["ids"].get<Ids>();
      EXPECT_EQ(tokenizer->encode(text), ids) << name << ": " << core::quoted(text);
      const auto decoded = answer["text"].get<std::string>();
      EXPECT_EQ(tokenizer->decode(ids), decoded) << name << ": " << core::quoted(text);
      if (answer.contains("without_special")) {
        EXPECT_EQ(tokenizer->decode(ids, true), answer["without_special"].get<std::string>()) << name;
      }
    }
  }
}

TEST(Reference, RealVocabularies) {
  if (!std::filesystem::exists(vocabularies())) GTEST_SKIP() << vocabularies() << " is absent";
  const core::Json file = core::read_json(fixtures() / "vocabularies.json");
  ASSERT_GE(file["cases"].size(), 14u);
  for (const core::Json& test : file["cases"]) {
    const TemporaryFolder folder;
    for (const auto& [name, source] : test["files"].items()) {
      std::filesystem::copy_file(vocabularies() / source.get<std::string>(), folder.path() / name);
    }
    if (test.contains("config")) folder.write("tokenizer_config.json", test["config"].dump());
    const auto tokenizer = tokenizer::from_folder(folder.path());
    for (std::size_t i = 0; i < file["texts"].size(); ++i) {
      const auto text = file["texts"][i].get<std::string>();
      EXPECT_EQ(tokenizer->encode(text), test["ids"][i].get<Ids>()) << test["name"] << ": " << core::quoted(text);
    }
  }
}

TEST(Reference, SmolLm2) {
  const std::filesystem::path model =
      from_environment("QZO_SMOLLM2_GGUF", "build/quickstart/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (!std::filesystem::exists(model)) GTEST_SKIP() << model << " is absent; scripts/quickstart.sh fetches it";
  const auto tokenizer = tokenizer::from_gguf(read_gguf_vocabulary(model));
  EXPECT_EQ(tokenizer->description(), "byte-level BPE, 49152 tokens, pre-tokenizer smollm");
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_FALSE(tokenizer->adds_bos());
  for (const core::Json& test : core::read_json(fixtures() / "smollm2.json")) {
    const auto text = test["text"].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text), test["ids"].get<Ids>()) << core::quoted(text);
    EXPECT_EQ(tokenizer->decode(test["ids"].get<Ids>()), text);
  }
}

}  // namespace qzo::tests
