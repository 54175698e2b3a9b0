#include "qzo/cli/examples.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "qzo/core/error.h"
#include "qzo/data/sampler.h"

namespace {

using namespace qzo::cli;
namespace fs = std::filesystem;

// One token per byte.
class ByteTokenizer final : public qzo::tokenizer::Tokenizer {
 public:
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids, bool) const override {
    return {ids.begin(), ids.end()};
  }
  [[nodiscard]] std::int32_t vocabulary_size() const override { return 257; }
  [[nodiscard]] std::optional<std::int32_t> bos() const override { return 256; }
  [[nodiscard]] std::optional<std::int32_t> eos() const override { return std::nullopt; }
  [[nodiscard]] bool adds_bos() const override { return false; }
  [[nodiscard]] std::string description() const override { return "bytes"; }
};

class ExamplesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("qzo_examples_" + std::to_string(getpid()));
    fs::create_directories(folder_);
    write("train.csv", 20);
    write("test.csv", 8);
    data_.train = folder_ / "train.csv";
    data_.num_train = 6;
    data_.num_dev = 4;
    data_.num_test = 5;
    task_ = make_task({"", "{text}!", {"n", "y"}, {}, "label"});
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, int rows) {
    std::ofstream file(folder_ / name);
    file << "text,label\n";
    for (int i = 0; i < rows; ++i) file << "row" << i << "," << i % 2 << "\n";
  }

  fs::path folder_;
  qzo::config::DataConfig data_;
  qzo::tasks::ClassificationTask task_;
  ByteTokenizer tokenizer_;
};

TEST_F(ExamplesTest, train_and_dev_follow_the_rule_of_mezo) {
  const Examples examples = load_examples(data_, task_, tokenizer_, encode_options(data_));
  const auto order = qzo::data::legacy_permutation(0, 20);
  ASSERT_EQ(examples.train.size(), 6u);
  ASSERT_EQ(examples.dev.size(), 4u);
  EXPECT_TRUE(examples.test.empty());
  // Line 1 holds the column names.
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(examples.train[i].line, order[i] + 2);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(examples.dev[i].line, order[6 + i] + 2);
}

TEST_F(ExamplesTest, a_test_file_gives_at_most_num_test_rows) {
  data_.test = folder_ / "test.csv";
  EXPECT_EQ(load_examples(data_, task_, tokenizer_, encode_options(data_)).test.size(), 5u);
  data_.num_test = 100;
  EXPECT_EQ(load_examples(data_, task_, tokenizer_, encode_options(data_)).test.size(), 8u);
}

TEST_F(ExamplesTest, a_dev_file_replaces_the_tail_of_the_train_file) {
  data_.dev = folder_ / "test.csv";
  data_.num_train = 18;
  const Examples examples = load_examples(data_, task_, tokenizer_, encode_options(data_));
  EXPECT_EQ(examples.train.size(), 18u);
  EXPECT_EQ(examples.dev.size(), 4u);
}

TEST_F(ExamplesTest, load_split_is_the_same_part) {
  data_.test = folder_ / "test.csv";
  const Examples examples = load_examples(data_, task_, tokenizer_, encode_options(data_));
  for (const auto& [split, part] : {std::pair{Split::kTrain, &examples.train}, std::pair{Split::kDev, &examples.dev},
                                    std::pair{Split::kTest, &examples.test}}) {
    const auto loaded = load_split(data_, task_, tokenizer_, encode_options(data_), split);
    ASSERT_EQ(loaded.size(), part->size());
    for (std::size_t i = 0; i < loaded.size(); ++i) EXPECT_EQ(loaded[i].prompt, (*part)[i].prompt);
  }
  data_.test.clear();
  EXPECT_THROW(load_split(data_, task_, tokenizer_, encode_options(data_), Split::kTest), qzo::core::UserError);
}

TEST_F(ExamplesTest, too_few_rows_are_an_error_that_names_the_file) {
  data_.num_train = 17;
  try {
    load_examples(data_, task_, tokenizer_, encode_options(data_));
    FAIL();
  } catch (const qzo::core::UserError& error) {
    EXPECT_NE(std::string(error.what()).find("train.csv"), std::string::npos) << error.what();
  }
}

TEST_F(ExamplesTest, hash_sees_ids_labels_and_order_but_not_the_place) {
  const Examples examples = load_examples(data_, task_, tokenizer_, encode_options(data_));
  fs::rename(folder_ / "train.csv", folder_ / "moved.csv");
  data_.train = folder_ / "moved.csv";
  Examples other = load_examples(data_, task_, tokenizer_, encode_options(data_));
  EXPECT_EQ(examples_hash(examples), examples_hash(other));
  std::swap(other.train[0], other.train[1]);
  EXPECT_NE(examples_hash(examples), examples_hash(other));
  std::swap(other.train[0], other.train[1]);
  other.train[2].label ^= 1;
  EXPECT_NE(examples_hash(examples), examples_hash(other));
}

TEST(PromptFields, each_once_in_order) {
  EXPECT_EQ(prompt_fields("{a} and {b}, {a}? {"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(prompt_fields("none").empty());
}

TEST(MakeTask, built_in_or_own) {
  EXPECT_EQ(make_task({"sst2", "", {}, {}, "label"}).candidates.size(), 2u);
  EXPECT_THROW(make_task({"sst22", "", {}, {}, "label"}), qzo::core::UserError);
  EXPECT_EQ(make_task({"", "{x}", {"a", "b"}, {}, "l"}).label_field, "l");
}

}  // namespace
