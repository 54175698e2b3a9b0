// Byte-level vocabularies give every text back, whatever it is, from any thread.

#include <random>
#include <thread>

#include "tokenizer/unicode.h"
#include "unit/tokenizer/vocabularies.h"

namespace qzo::tests {

namespace {

// Valid UTF-8 with everything in it: words, runs, controls, all planes, combining marks in no sensible order.
std::string random_text(std::uint32_t seed, std::size_t bytes) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random()) % limit; };
  std::string out;
  while (out.size() < bytes) {
    const std::uint32_t kind = below(10);
    const std::uint32_t limit = kind < 4 ? 0x80u : kind < 6 ? 0x800u : kind < 8 ? 0x10000u : 0x110000u;
    std::uint32_t code_point = below(limit);
    if (code_point >= 0xD800 && code_point < 0xE000) code_point = ' ';  // surrogates are no characters
    const std::uint32_t repeats = below(20) == 0 ? below(200) : 1;
    for (std::uint32_t i = 0; i < repeats; ++i) tokenizer::append_code_point(out, code_point);
    if (below(3) == 0) out += ' ';
  }
  return out;
}

std::unique_ptr<tokenizer::Tokenizer> tiny() {
  const std::filesystem::path folder = std::filesystem::path(QZO_SOURCE_DIR) / "tests" / "data" / "tiny" / "gptq";
  return tokenizer::from_folder(folder);
}

}  // namespace

TEST(RoundTrip, AMegabyteOfRandomUnicode) {
  const std::string text = random_text(1, 1 << 20);
  const auto small = tiny();
  EXPECT_TRUE(small->decode(small->encode(text)) == text);
  if (!std::filesystem::exists(vocabularies())) GTEST_SKIP() << vocabularies() << " is absent: tiny vocabulary only";
  const std::filesystem::path gpt2 = vocabularies() / "gpt2";
  const auto large = tokenizer::from_vocab_and_merges(gpt2 / "vocab.json", gpt2 / "merges.txt", "gpt-2");
  EXPECT_TRUE(large->decode(large->encode(text)) == text);
  const auto llama3 = tokenizer::from_tokenizer_model(vocabularies() / "llama3" / "tokenizer.model");
  EXPECT_TRUE(llama3->decode(llama3->encode(text)) == text);
  // Qwen composes characters first: what comes back is the text in NFC.
  const auto qwen = tokenizer::from_folder(vocabularies() / "qwen3");
  EXPECT_TRUE(qwen->decode(qwen->encode(text)) == tokenizer::normalize(text, tokenizer::NormalForm::kNfc));
  // Llama-2: byte pieces; the space in front goes and comes.
  const auto llama2 = tokenizer::from_tokenizer_json(vocabularies() / "llama2" / "tokenizer.json");
  std::string unmarked = text;  // U+2581 comes back as a space
  for (std::size_t at; (at = unmarked.find("\xE2\x96\x81")) != std::string::npos;) unmarked.replace(at, 3, " ");
  EXPECT_TRUE(llama2->decode(llama2->encode(text)) == unmarked);
}

TEST(RoundTrip, LongRunsOfOneCharacter) {
  const auto small = tiny();
  for (const char* character : {"a", " ", "\n", "1", "!", "\xC3\xA9", "\xF0\x9F\x9A\x80"}) {
    std::string text;
    while (text.size() < (1 << 20)) text += character;
    EXPECT_TRUE(small->decode(small->encode(text)) == text) << character;
  }
}

TEST(RoundTrip, InvalidBytesComeBackAsReplacementCharacters) {
  const auto small = tiny();
  EXPECT_EQ(small->decode(small->encode("wood\xFF\xC3 wet")), "wood\xEF\xBF\xBD\xEF\xBF\xBD wet");
  const std::string null_inside("a\0b", 3);
  EXPECT_EQ(small->decode(small->encode(null_inside)), null_inside);
}

TEST(RoundTrip, ThreadsGetTheSameIds) {
  const auto shared = tiny();
  std::vector<std::string> texts;
  std::vector<Ids> expected;
  for (std::uint32_t i = 0; i < 40; ++i) {
    texts.push_back(random_text(i % 20, 4000));
    expected.push_back(tiny()->encode(texts.back()));  // a tokenizer that has seen nothing else
  }
  std::vector<std::vector<Ids>> found(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < found.size(); ++t) {
    threads.emplace_back([&, t] {
      for (const std::string& text : texts) found[t].push_back(shared->encode(text));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Ids>& ids : found) EXPECT_TRUE(ids == expected);
}

}  // namespace qzo::tests
