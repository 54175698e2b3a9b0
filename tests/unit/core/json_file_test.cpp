#include "qzo/core/json_file.h"

#include <gtest/gtest.h>

#include "qzo/core/error.h"

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
  EXPECT_NE(sentence.find("line 3"), std::string::npos);
  EXPECT_NE(complaint(""), "");
  EXPECT_NE(complaint("{\"a\": 1} x"), "");
  EXPECT_NE(complaint("{\"a\": \"\xFF\"}").find("UTF-8"), std::string::npos);
}

TEST(Json, duplicate_keys_are_refused_with_their_path) {
  EXPECT_NE(complaint(R"({"zo": {"eps": 1, "eps": 2}})").find("zo.eps"), std::string::npos);
  EXPECT_EQ(complaint(R"({"a": {"x": 1}, "b": {"x": 2}})"), "");
}

TEST(Json, deep_nesting_is_refused_without_recursion) {
  EXPECT_NE(complaint(std::string(60000, '[')).find("100 levels"), std::string::npos);
  EXPECT_EQ(complaint(std::string(99, '[') + std::string(99, ']')), "");
}

TEST(Json, key_lines) {
  const auto lines = json_key_lines("{\n \"zo\": {\n  \"eps\": 1,\n  \"list\": [\"a:\", {\"b\": 2}] },\n \"x\": 3}");
  EXPECT_EQ(lines.at("zo"), 2);
  EXPECT_EQ(lines.at("zo.eps"), 3);
  EXPECT_EQ(lines.at("zo.list"), 4);
  EXPECT_EQ(lines.at("x"), 5);
}

}  // namespace
}  // namespace qzo::core
