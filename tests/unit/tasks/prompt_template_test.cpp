// Templates, through the public functions that render them.

#include "qzo/tasks/classification.h"

#include "unit/io/test_files.h"
#include "unit/tasks/greedy_tokenizer.h"

namespace qzo::tasks {
namespace {

using io::testing::expect_user_error;

std::string rendered(const std::string& prompt, const std::map<std::string, std::string>& fields) {
  const testing::GreedyTokenizer tokenizer;
  return tokenizer.decode(encode_text({"custom", prompt, {"|0", "|1"}, {}, "label"}, fields, tokenizer, {}).prompt,
                          false);
}

TEST(PromptTemplate, fields_are_replaced_and_stripped) {
  EXPECT_EQ(rendered("<{a}> and <{b c}>, <{a}>", {{"a", " x y\n"}, {"b c", "\t"}}), "<x y> and <>, <x y>");
  EXPECT_EQ(rendered("no field", {}), "no field");
}

TEST(PromptTemplate, doubled_braces_are_text) {
  EXPECT_EQ(rendered("{{a}} {a} {{{a}}} }}{{", {{"a", "x"}}), "{a} x {x} }{");
}

TEST(PromptTemplate, values_are_not_parsed_again) { EXPECT_EQ(rendered("{a}", {{"a", "{b}}"}}), "{b}}"); }

TEST(PromptTemplate, malformed) {
  for (const char* prompt : {"x {a", "x {", "x {}", "x {a{b}}", "{{{a}}"}) {
    expect_user_error([&] { return rendered(prompt, {{"a", "1"}}); }, {"task.prompt"});
  }
  expect_user_error([] { return rendered("a} b", {}); }, {"task.prompt", "\" b\"", "}}"});
}

TEST(PromptFields, each_once_in_order) {
  EXPECT_EQ(prompt_fields("{b} {{c}} {a} {b}"), (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(prompt_fields("none").empty());
}

}  // namespace
}  // namespace qzo::tasks
