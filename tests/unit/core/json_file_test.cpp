#include "qzo/core/json_file.h"

#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::core {
namespace {

std::string complaint(const std::string& bytes) {
  try {
    parse_json(bytes, "some.json");
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Json, builds_the_value) {
  const Json json =
      parse_json(R"({"a": [1, -2, 3.5, true, null, "x", {"b": {}}], "c": {"d": [[], [1]]}})", "some.json");
  EXPECT_EQ(json["a"][2], 3.5);
  EXPECT_EQ(json["a"][5], "x");
  EXPECT_TRUE(json["a"][6]["b"].empty());
  EXPECT_EQ(json["c"]["d"][1][0], 1);
  EXPECT_EQ(parse_json("7", "some.json"), 7);
}

TEST(Json, malformed_text_names_file_and_position) {
  const std::string sentence = complaint("{\n  \"a\": 1,\n  \"b\" 2\n}");
  EXPECT_NE(sentence.find("some.json"), std::string::npos);
  EXPECT_NE(sentence.find("line 3, column 7"), std::string::npos) << sentence;
  EXPECT_NE(complaint("").find("unexpected end of input"), std::string::npos);
  EXPECT_NE(complaint("{\"a\": 1} x").find("expected end of input"), std::string::npos);
  EXPECT_NE(complaint("[1e999]").find("number overflow"), std::string::npos);
  EXPECT_NE(complaint("[NaN]").find("line 1, column 2"), std::string::npos);
}

TEST(Json, text_that_is_not_utf8_is_refused_with_its_position) {
  // Columns count characters: the two bytes before are one.
  const std::string sentence = complaint("{\n\"\xC3\xA9\": \"\xFF\"}");
  EXPECT_NE(sentence.find("line 2, column 7"), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("UTF-8"), std::string::npos);
}

TEST(Json, a_message_can_itself_stand_in_json) {
  std::string bytes = "[\"";
  for (int i = 0; i < 300; ++i) bytes += "\xE2\x82\xAC";
  for (const std::string& bad : {bytes, std::string("{\"a\":1} \xC3\xA9")}) {
    const std::string sentence = complaint(bad);
    EXPECT_TRUE(valid_utf8(sentence)) << sentence;
    EXPECT_LT(sentence.size(), 1000U);
  }
}

TEST(Json, duplicate_keys_are_refused_with_their_path) {
  EXPECT_NE(complaint(R"({"zo": {"eps": 1, "eps": 2}})").find("zo.eps"), std::string::npos);
  EXPECT_NE(complaint("{\"a\": 1,\n \"a\": 2}").find("line 2, column 4"), std::string::npos);
  EXPECT_EQ(complaint(R"({"a": {"x": 1}, "b": {"x": 2}, "c": [{"x": 1}, {"x": 2}]})"), "");
}

TEST(Json, deep_nesting_is_refused_without_recursion) {
  EXPECT_NE(complaint(std::string(60000, '[')).find("100 levels at line 1, column 101"), std::string::npos);
  std::string objects;
  for (int i = 0; i < 60000; ++i) objects += "{\"a\":";
  EXPECT_NE(complaint(objects).find("100 levels"), std::string::npos);
  EXPECT_EQ(complaint(std::string(100, '[') + std::string(100, ']')), "");
  EXPECT_NE(complaint(std::string(101, '[') + std::string(101, ']')), "");
}

TEST(Json, key_lines) {
  const auto lines = json_key_lines("{\n \"zo\": {\n  \"eps\": 1,\n  \"list\": [\"a:\", {\"b\": 2}] },\n \"x\": 3}");
  EXPECT_EQ(lines.at("zo"), 2);
  EXPECT_EQ(lines.at("zo.eps"), 3);
  EXPECT_EQ(lines.at("zo.list"), 4);
  EXPECT_EQ(lines.at("x"), 5);
}

TEST(Json, key_lines_of_objects_in_arrays) {
  const auto lines = json_key_lines("{\"list\": [{\"b\": 2},\n {\"c\": [[{\"d\": 3}]]}],\n \"e\": 4}");
  const std::map<std::string, int> expected = {{"list", 1}, {"list.b", 1}, {"list.c", 2}, {"list.c.d", 2}, {"e", 3}};
  EXPECT_EQ(lines, expected);
}

}  // namespace
}  // namespace qzo::core
