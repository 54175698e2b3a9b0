#include "qzo/tasks/classification.h"

#include "unit/io/test_files.h"
#include "unit/tasks/greedy_tokenizer.h"

namespace qzo::tasks {
namespace {

using io::testing::expect_user_error;
using testing::GreedyTokenizer;
using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kBos = GreedyTokenizer::kBos;

data::Row row(std::map<std::string, std::string> fields, std::int64_t line = 7) { return {std::move(fields), line}; }

ClassificationTask task(std::string prompt, std::vector<std::string> candidates) {
  return {"custom", std::move(prompt), std::move(candidates), {}, "label"};
}

Ids with_bos(Ids ids) {
  ids.insert(ids.begin(), kBos);
  return ids;
}

// What the model reads for a candidate, and how much of its end is scored.
struct Reading {
  std::string text;
  std::string scored;
  bool operator==(const Reading&) const = default;
};

std::vector<Reading> readings(const Example& example, const GreedyTokenizer& tokenizer) {
  std::vector<Reading> out;
  for (const Ids& candidate : example.candidates) {
    out.push_back({tokenizer.decode(example.prompt, false) + tokenizer.decode(candidate, false),
                   tokenizer.decode({candidate.begin() + example.unscored, candidate.end()}, false)});
  }
  return out;
}

TEST(Encode, sst2_with_one_token_a_candidate) {
  const GreedyTokenizer tokenizer({" terrible", " great", " It", " was"});
  const Example example =
      encode(builtin_task("sst2"), row({{"sentence", " fine film . \t"}, {"label", "1"}}), "t.tsv", tokenizer, {});
  EXPECT_EQ(example.prompt, tokenizer.encode("fine film . It was"));
  EXPECT_EQ(example.candidates, (std::vector<Ids>{{256}, {257}}));
  EXPECT_EQ(example.label, 1);
  EXPECT_EQ(example.line, 7);
  EXPECT_EQ(example.unscored, 0);
  EXPECT_TRUE(example.single_token());
  EXPECT_EQ(example.tokens(), static_cast<std::int64_t>(example.prompt.size()));
}

TEST(Encode, candidates_of_several_tokens) {
  const GreedyTokenizer tokenizer({" b"});
  const Example example =
      encode(task("{x}", {" b", " abc"}), row({{"x", "q"}, {"label", "0"}}), "t.tsv", tokenizer, {});
  EXPECT_EQ(example.candidates, (std::vector<Ids>{{256}, {' ', 'a', 'b', 'c'}}));
  EXPECT_FALSE(example.single_token());
  EXPECT_EQ(example.tokens(), 1 + 0 + 3);
}

TEST(Encode, bos_by_rule) {
  GreedyTokenizer tokenizer;
  const auto prompt = [&](Bos bos) {
    return encode_text(task("{x}", {"a", "b"}), {{"x", "q"}}, tokenizer, {.bos = bos}).prompt;
  };
  EXPECT_EQ(prompt(Bos::kModel), (Ids{'q'}));
  EXPECT_EQ(prompt(Bos::kAlways), (Ids{kBos, 'q'}));
  tokenizer.puts_bos = true;
  EXPECT_EQ(prompt(Bos::kModel), (Ids{kBos, 'q'}));
  EXPECT_EQ(prompt(Bos::kNone), (Ids{'q'}));
  tokenizer.has_bos = false;
  EXPECT_EQ(prompt(Bos::kModel), (Ids{'q'}));
  expect_user_error([&] { return prompt(Bos::kAlways); }, {"data.bos", "no BOS"});
}

TEST(Encode, outer_blanks_are_dropped_as_mezo_does) {
  const GreedyTokenizer tokenizer({" yes", " no"});
  const auto texts = [&](const std::string& prompt, const std::vector<std::string>& candidates) {
    return readings(encode_text(task(prompt, candidates), {{"x", "q"}}, tokenizer, {}), tokenizer);
  };
  EXPECT_EQ(texts(" {x}: ", {"yes", "no"}), (std::vector<Reading>{{"q: yes", " yes"}, {"q: no", " no"}}));
  EXPECT_EQ(texts("\n \t{x}:", {" yes ", " no  "}), (std::vector<Reading>{{"q: yes", " yes"}, {"q: no", " no"}}));
  // A newline at the end of a prompt stays.
  EXPECT_EQ(texts("{x}?\n", {"yes", "no"}), (std::vector<Reading>{{"q?\nyes", "yes"}, {"q?\nno", "no"}}));
  // An empty sentence.
  const Example empty = encode_text(task("{x} It was", {" yes", " no"}), {{"x", "  "}}, tokenizer, {});
  EXPECT_EQ(tokenizer.decode(empty.prompt, false), "It was");
}

TEST(Encode, merged_boundary_reads_as_the_tokenizer_wrote_it) {
  // ":Y" joins the end of the prompt with the first letter of one candidate only.
  const GreedyTokenizer tokenizer({":Y", "es"});
  EncodeCounts counts;
  const Example example = encode(task("{x}:", {"Yes", "No"}), row({{"x", "q"}, {"label", "1"}}), "t.tsv", tokenizer,
                                 {.bos = Bos::kAlways}, &counts);
  // Prompt "q:" is 2 tokens, "q:Yes" is q :Y es = 3, "q:No" is 4: options of 1 and 2 tokens.
  EXPECT_EQ(example.prompt, (Ids{kBos, 'q'}));
  EXPECT_EQ(example.candidates, (std::vector<Ids>{{256, 257}, {':', 'N', 'o'}}));
  EXPECT_EQ(example.unscored, 1);
  EXPECT_EQ(readings(example, tokenizer), (std::vector<Reading>{{"<s>q:Yes", "es"}, {"<s>q:No", "No"}}));
  EXPECT_EQ(counts.merged_boundary, 1);
  EXPECT_EQ(counts.truncated, 0);
  EXPECT_EQ(example.tokens(), 2 + 1 + 2);
  EXPECT_FALSE(example.single_token());
}

TEST(Encode, merged_boundary_that_reaches_back_over_several_tokens) {
  const GreedyTokenizer tokenizer({"ab", "abcd"});
  const Example example = encode_text(task("{x}abc", {"def", "ee"}), {{"x", "q"}}, tokenizer, {});
  // Prompt: q ab c = 3. "def": q abcd e f = 4, option of 1. "ee": q ab c e e = 5, option of 2.
  EXPECT_EQ(example.prompt, Ids{'q'});
  EXPECT_EQ(example.candidates, (std::vector<Ids>{{257, 'e', 'f'}, {256, 'c', 'e', 'e'}}));
  EXPECT_EQ(example.unscored, 2);
  EXPECT_EQ(readings(example, tokenizer), (std::vector<Reading>{{"qabcdef", "f"}, {"qabcee", "ee"}}));
}

TEST(Encode, no_answer_token_left) {
  const GreedyTokenizer tokenizer({":Yes"});
  expect_user_error(
      [&] {
        return encode(task("{x}:", {"Yes", "No"}), row({{"x", "q"}, {"label", "1"}}), "t.tsv", tokenizer, {});
      },
      {"t.tsv:7", "\"Yes\"", "no token"});
  expect_user_error(
      [&] {
        return encode_text(task("{x}", {" ", "No"}), {{"x", "q"}}, tokenizer, {});
      },
      {"\" \"", "no token"});
}

TEST(Encode, candidates_that_are_the_same_tokens) {
  expect_user_error(
      [] {
        return encode_text(task("{x}", {" a", " a "}), {{"x", "q"}}, GreedyTokenizer(), {});
      },
      {"\" a\"", "\" a \"", "same tokens"});
}

TEST(Encode, truncation_keeps_bos_and_answer_and_is_counted) {
  const GreedyTokenizer tokenizer;
  EncodeCounts counts;
  const auto prompt = [&](std::int64_t max_length, Bos bos) {
    return encode(task("{x}", {"AB", "C"}), row({{"x", "0123456789"}, {"label", "0"}}), "t.tsv", tokenizer,
                  {max_length, bos}, &counts)
        .prompt;
  };
  EXPECT_EQ(prompt(13, Bos::kAlways), with_bos(tokenizer.encode("0123456789")));
  EXPECT_EQ(counts.truncated, 0);
  EXPECT_EQ(prompt(12, Bos::kAlways), with_bos(tokenizer.encode("123456789")));
  EXPECT_EQ(prompt(4, Bos::kAlways), with_bos(tokenizer.encode("9")));
  EXPECT_EQ(prompt(12, Bos::kNone), tokenizer.encode("0123456789"));
  EXPECT_EQ(prompt(3, Bos::kNone), tokenizer.encode("9"));
  EXPECT_EQ(counts.truncated, 3);
  expect_user_error([&] { return prompt(3, Bos::kAlways); }, {"t.tsv:7", "2 tokens", "max_length is 3"});
  expect_user_error([&] { return prompt(1, Bos::kNone); }, {"t.tsv:7", "max_length is 1"});
}

TEST(Encode, nothing_in_front_of_the_answer) {
  const GreedyTokenizer tokenizer;
  const auto empty = [&](Bos bos) {
    return encode_text(task("{x}", {"a", "b"}), {{"x", ""}}, tokenizer, {.bos = bos});
  };
  EXPECT_EQ(empty(Bos::kAlways).prompt, Ids{kBos});
  expect_user_error([&] { return empty(Bos::kNone); }, {"the text given", "BOS"});
}

TEST(Encode, labels) {
  ClassificationTask own = task("{x}", {"a", "b"});
  const auto label = [&](const std::string& value) {
    return encode(own, row({{"x", "q"}, {"gold", value}}), "dir/t.csv", GreedyTokenizer(), {}).label;
  };
  own.label_field = "gold";
  EXPECT_EQ(label("0"), 0);
  EXPECT_EQ(label("1"), 1);
  expect_user_error([&] { return label("2"); }, {"dir/t.csv:7", "\"2\"", "\"0\", \"1\""});
  own.labels = {"entailment", "not_entailment"};
  EXPECT_EQ(label("not_entailment"), 1);
  expect_user_error([&] { return label("0"); }, {"dir/t.csv:7", "\"entailment\", \"not_entailment\""});
  own.label_field = "golb";
  expect_user_error([&] { return label("0"); },
                    {"dir/t.csv:7", "\"golb\"", "\"gold\", \"x\"", "Did you mean \"gold\""});
}

TEST(Encode, missing_field_names_row_columns_and_the_nearest) {
  const auto encoded = [](const char* prompt) {
    return encode(task(prompt, {"a", "b"}), row({{"sentence", "q"}, {"label", "0"}}, 12), "t.tsv", GreedyTokenizer(),
                  {});
  };
  expect_user_error([&] { return encoded("{sentense} It was"); },
                    {"t.tsv:12", "\"sentense\"", "\"label\", \"sentence\"", "Did you mean \"sentence\""});
  expect_user_error([&] { return encoded("{zzz}"); }, {"t.tsv:12", "\"zzz\"", "Change task.prompt"});
}

TEST(Encode, all_rows_in_the_order_asked_for) {
  const data::Table table{"t.csv", {row({{"x", "a"}, {"label", "0"}}, 2), row({{"x", "b"}, {"label", "1"}}, 3)}};
  EncodeCounts counts;
  const auto examples =
      encode_all(task("{x}{x}", {"Y", "N"}), table, {1, 0, 1}, GreedyTokenizer(), {.max_length = 2}, &counts);
  ASSERT_EQ(examples.size(), 3u);
  EXPECT_EQ(examples[0].prompt, Ids{'b'});
  EXPECT_EQ(examples[1].prompt, Ids{'a'});
  EXPECT_EQ(examples[1].line, 2);
  EXPECT_EQ(examples[2].label, 1);
  EXPECT_EQ(counts.truncated, 3);
  EXPECT_THROW(encode_all(task("{x}", {"Y", "N"}), table, {2}, GreedyTokenizer(), {}), core::InternalError);
}

TEST(Encode, a_text_of_ones_own_needs_no_label) {
  const Example example = encode_text(task("{x}!", {"a", "b"}), {{"x", "q"}}, GreedyTokenizer(), {});
  EXPECT_EQ(example.prompt, (Ids{'q', '!'}));
  EXPECT_EQ(example.label, 0);
}

TEST(Builtin, sst2) {
  EXPECT_EQ(builtin_task_names(), std::vector<std::string>{"sst2"});
  const ClassificationTask sst2 = builtin_task("sst2");
  EXPECT_EQ(sst2.name, "sst2");
  EXPECT_EQ(sst2.prompt, "{sentence} It was");
  EXPECT_EQ(sst2.candidates, (std::vector<std::string>{" terrible", " great"}));
  EXPECT_EQ(sst2.label_field, "label");
  expect_user_error([] { return builtin_task("sst3"); }, {"\"sst3\"", "sst2", "task.prompt"});
}

// The prompt is stripped, the chat around it is not; BOS is the template's affair; a chat is never cut.
TEST(Encode, inside_a_chat_template) {
  GreedyTokenizer tokenizer;
  tokenizer.puts_bos = true;
  EncodeOptions options = {.max_length = 15,
                           .wrap = [](const std::string& prompt) { return " <u>" + prompt + "<a> \n"; }};
  const data::Row fields = row({{"x", "q"}, {"label", "1"}});
  const Example example = encode(task(" {x}: ", {"no", " yes"}), fields, "t.tsv", tokenizer, options);
  EXPECT_EQ(example.prompt, tokenizer.encode(" <u>q:<a> \n"));
  EXPECT_EQ(example.candidates, (std::vector<Ids>{{'n', 'o'}, {' ', 'y', 'e', 's'}}));
  EXPECT_EQ(example.label, 1);
  options.max_length = 14;
  expect_user_error(
      [&] {
        encode(task("{x}:", {"no", " yes"}), fields, "t.tsv", tokenizer, options);
      },
      {"t.tsv:7", "15 tokens in the chat template", "data.max_length is 14"});
}

}  // namespace
}  // namespace qzo::tasks
