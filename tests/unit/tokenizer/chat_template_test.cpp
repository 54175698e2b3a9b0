// Renderings of transformers (scripts/make_chat_cases.py), and what is refused.

#include "qzo/tokenizer/chat_template.h"

#include "qzo/core/fs.h"
#include "qzo/core/text.h"

#include "unit/tokenizer/vocabularies.h"

namespace qzo::tests {

namespace {

using tokenizer::ChatTemplate;
using tokenizer::ChatVariables;

std::string render(const std::string& text, const char* variables = "{}") {
  return ChatTemplate(text, "chat").render(ChatVariables::parse(variables));
}

void expect_refusal(const std::string& text, const std::vector<std::string>& parts) {
  const std::string sentence = user_error([&] { render(text); });
  EXPECT_EQ(sentence.find("chat: line "), 0u) << text << ": " << sentence;
  for (const std::string& part : parts)
    EXPECT_NE(sentence.find(part), std::string::npos) << part << " in: " << sentence;
}

}  // namespace

TEST(ChatTemplate, RendersAsTransformersDoes) {
  const std::filesystem::path file =
      std::filesystem::path(QZO_SOURCE_DIR) / "tests" / "data" / "tokenizer" / "chat.json";
  const ChatVariables cases = ChatVariables::parse(core::read_file(file));
  ASSERT_GE(cases.size(), 18u);
  for (const ChatVariables& test : cases) {
    const auto name = test["name"].get<std::string>();
    const ChatTemplate chat(test["template"].get<std::string>(), name);
    for (const ChatVariables& answer : test["answers"]) {
      EXPECT_EQ(chat.render(answer["variables"]), answer["text"].get<std::string>())
          << name << ": " << answer["variables"].dump();
    }
  }
}

TEST(ChatTemplate, WhatIsNotImplementedIsNamed) {
  expect_refusal("a\n{% include 'x' %}", {"line 2", "the statement \"include\" is not implemented"});
  expect_refusal("{% raw %}{% endraw %}", {"\"raw\" is not implemented"});
  expect_refusal("{{ a | sort }}", {"the filter \"sort\" is not implemented"});
  expect_refusal("\n\n{{ a is escaped }}", {"line 3", "the test \"escaped\" is not implemented"});
  expect_refusal("{{ 'a'.center(3) }}", {"\"center\" is not implemented"});
  expect_refusal("{{ strftime_now('%Y') }}", {"\"strftime_now\" is not implemented"});
  expect_refusal("{{ 2 ** 3 }}", {"**"});
  expect_refusal("{{ 1 < 2 < 3 }}", {"chain of comparisons"});
  expect_refusal("{{ '\xC3\xA9' | upper }}", {"ASCII only"});
  expect_refusal("{% for a in b recursive %}{% endfor %}", {"recursive"});
}

TEST(ChatTemplate, MalformedTemplates) {
  expect_refusal("{% if true %}", {"endif"});
  expect_refusal("{% endif %}", {"\"endif\" closes nothing"});
  expect_refusal("{% for a in b %}{% endif %}", {"expected \"endfor\", found \"endif\""});
  expect_refusal("{{ a", {"no end"});
  expect_refusal("{# a", {"comment has no end"});
  expect_refusal("{{ 'a }}", {"a string has no end"});
  expect_refusal("{{ a b }}", {"expected }}, found \"b\""});
  expect_refusal("{{ (1 }}", {"no end"});
  expect_refusal("{{ a ? b }}", {"unexpected \"?\""});
  expect_refusal("{% break %}", {"outside of a loop"});
  expect_refusal("{{ 99999999999999999999 }}", {"too large"});
}

TEST(ChatTemplate, ErrorsOfTheConversation) {
  expect_refusal("\n{{ raise_exception('Roles must alternate') }}", {"line 2", "Roles must alternate"});
  expect_refusal("{{ a.b }}", {"\"a\" is undefined"});
  expect_refusal("{{ 'a' + 1 }}", {"a text and an integer"});
  expect_refusal("{{ 1 // 0 }}", {"division by zero"});
  expect_refusal("{% set a, b = [1] %}", {"1 values for 2 variables"});
  expect_refusal("{% set x = {} %}{% set x.a = 1 %}", {"only members of a namespace"});
  EXPECT_EQ(render("{{ a }}{{ b.c }}{{ b.c is defined }}", R"({"b": {}})"), "False");
}

TEST(ChatTemplate, EverythingIsBounded) {
  expect_refusal("{{ " + std::string(3000, '(') + "1" + std::string(3000, ')') + " }}", {"nested deeper"});
  std::string blocks;
  for (int i = 0; i < 3000; ++i) blocks += "{% if 1 %}";
  expect_refusal(blocks, {"nested deeper"});
  std::string postfix = "{{ a";
  for (int i = 0; i < 3000; ++i) postfix += ".b";
  expect_refusal(postfix + " }}", {"too many"});
  expect_refusal("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", {"macros call each other"});
  expect_refusal("{{ 'aaaaaaaa' * 99999999 }}", {"a value grows"});
  expect_refusal("{{ range(99999999) }}", {"range is too long"});
  expect_refusal("{% set ns = namespace(x='aa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
                 {"line 1"});
  expect_refusal("{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = [ns.x] %}{% endfor %}",
                 {"values nested deeper"});
  expect_refusal("{% set ns = namespace(x=1) %}{% set ns.x = [ns] %}", {"a namespace inside of another value"});
  expect_refusal(
      "{% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}{% endfor %}{% endfor "
      "%}{% endfor %}",
      {"steps"});
}

TEST(ChatTemplate, OfAFolder) {
  const TemporaryFolder folder;
  EXPECT_FALSE(tokenizer::read_chat_template(folder.path()).has_value());
  folder.write("chat_template.jinja", "file {{ x }}");
  EXPECT_EQ(tokenizer::read_chat_template(folder.path())->render({{"x", 1}}), "file 1");
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "tool"},
                                            {"name": "default", "template": "named"}]})");
  EXPECT_EQ(tokenizer::read_chat_template(folder.path())->render(ChatVariables::object()), "named");
  folder.write("tokenizer_config.json", R"({"chat_template": "plain"})");
  EXPECT_EQ(tokenizer::read_chat_template(folder.path())->render(ChatVariables::object()), "plain");
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "tool"}]})");
  EXPECT_NE(user_error([&] { tokenizer::read_chat_template(folder.path()); }).find("\"default\""), std::string::npos);
}

}  // namespace qzo::tests
