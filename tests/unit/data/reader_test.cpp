#include "qzo/data/reader.h"

#include "support/paths.h"
#include "unit/io/test_files.h"

namespace qzo::data {
namespace {

using io::testing::expect_user_error;
using Fields = std::map<std::string, std::string>;

std::vector<Fields> fields_of(const Table& table) {
  std::vector<Fields> fields;
  for (const Row& row : table.rows) fields.push_back(row.fields);
  return fields;
}

std::vector<std::int64_t> lines_of(const Table& table) {
  std::vector<std::int64_t> lines;
  for (const Row& row : table.rows) lines.push_back(row.line);
  return lines;
}

TEST(Jsonl, strings_numbers_booleans_and_null) {
  const Table table = parse_table(
      "{\"text\": \"a \\u00e9\\n\\\"b\\\"\", \"label\": 1, \"score\": -0.5, \"big\": 18446744073709551615}\r\n"
      "\n  \t\n"
      "{\"text\": \"\", \"label\": true, \"absent\": null}",
      "t.jsonl");
  EXPECT_EQ(
      fields_of(table),
      (std::vector<Fields>{{{"text", "a é\n\"b\""}, {"label", "1"}, {"score", "-0.5"}, {"big", "18446744073709551615"}},
                           {{"text", ""}, {"label", "true"}}}));
  EXPECT_EQ(lines_of(table), (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(table.file, "t.jsonl");
}

TEST(Jsonl, errors_name_file_line_and_field) {
  const auto parse = [](const char* text) { return [text] { return parse_table(text, "dir/t.jsonl"); }; };
  expect_user_error(parse("{\"a\": 1}\n{\"a\": 1,}\n"), {"dir/t.jsonl:2", "not valid JSON"});
  expect_user_error(parse("{\"a\": 1}\n\n{\"a\": 1} {}\n"), {"dir/t.jsonl:3"});
  expect_user_error(parse("{\"a\": [1]}"), {"dir/t.jsonl:1", "\"a\"", "array"});
  expect_user_error(parse("{\"a\": {}}"), {"dir/t.jsonl:1", "\"a\"", "object"});
  expect_user_error(parse("\n[1]"), {"dir/t.jsonl:2", "array", "expected an object"});
  expect_user_error(parse("{\"a\": 1, \"a\": 2}"), {"dir/t.jsonl:1", "\"a\"", "twice"});
}

TEST(Csv, quotes_commas_and_line_ends_in_fields) {
  const Table table = parse_table(
      "\"text\",label\r\n"
      "plain,0\r\n"
      "\"a, \"\"b\"\"\r\nc\n\",1\n"
      "\r\n\n"
      "\"\",\n"
      ",\"x\"",
      "t.csv");
  EXPECT_EQ(fields_of(table), (std::vector<Fields>{{{"text", "plain"}, {"label", "0"}},
                                                   {{"text", "a, \"b\"\r\nc\n"}, {"label", "1"}},
                                                   {{"text", ""}, {"label", ""}},
                                                   {{"text", ""}, {"label", "x"}}}));
  EXPECT_EQ(lines_of(table), (std::vector<std::int64_t>{2, 3, 8, 9}));
}

TEST(Csv, one_column) {
  // An empty line is no row, a quoted empty value is one.
  EXPECT_EQ(fields_of(parse_table("a\n\n\"\"\nx\n\n", "t.csv")), (std::vector<Fields>{{{"a", ""}}, {{"a", "x"}}}));
}

TEST(Csv, a_separator_at_the_very_end_opens_a_last_value) {
  EXPECT_EQ(fields_of(parse_table("a,b\nx,", "t.csv")), (std::vector<Fields>{{{"a", "x"}, {"b", ""}}}));
}

TEST(Csv, errors_name_file_and_line) {
  const auto parse = [](const char* text) { return [text] { return parse_table(text, "t.csv"); }; };
  expect_user_error(parse("a,b\n1,2\n1,2,3\n"), {"t.csv:3", "3 values", "2 columns"});
  expect_user_error(parse("a,b\n\"1\n\",2\n1\n"), {"t.csv:4", "1 values", "2 columns"});
  expect_user_error(parse("a,b\n1,2\n\"3\n4,5\n"), {"t.csv:3", "never closed"});
  expect_user_error(parse("a,b\n\"1\n\"x,2\n"), {"t.csv:3", "closing quote"});
  expect_user_error(parse("a,b\n1,2\"3\n"), {"t.csv:2", "quote"});
  expect_user_error(parse("a,b\n1,2\r3,4\n"), {"t.csv:2", "carriage return"});
  expect_user_error(parse("a,b,a\n1,2,3\n"), {"t.csv:1", "\"a\"", "twice"});
  expect_user_error(parse("a,,b\n1,2,3\n"), {"t.csv:1", "without a name"});
}

TEST(Tsv, quotes_are_ordinary_characters) {
  const Table table = parse_table("sentence\tlabel\r\n\"half \t1\r\n\nit 's, \"\"\t0\n\t\n", "t.tsv");
  EXPECT_EQ(fields_of(table), (std::vector<Fields>{{{"sentence", "\"half "}, {"label", "1"}},
                                                   {{"sentence", "it 's, \"\""}, {"label", "0"}},
                                                   {{"sentence", ""}, {"label", ""}}}));
  EXPECT_EQ(lines_of(table), (std::vector<std::int64_t>{2, 4, 5}));
}

TEST(Tsv, errors_name_file_and_line) {
  const auto parse = [](const char* text) { return [text] { return parse_table(text, "t.tsv"); }; };
  expect_user_error(parse("a\tb\n1\t2\n3\n"), {"t.tsv:3", "1 values", "2 columns"});
  expect_user_error(parse("a\tb\n1\t2\t3\n"), {"t.tsv:2", "3 values", "2 columns"});
  expect_user_error(parse("a\ta\n1\t2\n"), {"t.tsv:1", "twice"});
}

TEST(Table, byte_order_mark_is_no_part_of_the_first_name) {
  EXPECT_EQ(fields_of(parse_table("\xEF\xBB\xBF"
                                  "a\n1\n",
                                  "t.csv")),
            (std::vector<Fields>{{{"a", "1"}}}));
  EXPECT_EQ(fields_of(parse_table("\xEF\xBB\xBF"
                                  "a\n1\n",
                                  "t.tsv")),
            (std::vector<Fields>{{{"a", "1"}}}));
  EXPECT_EQ(fields_of(parse_table("\xEF\xBB\xBF{\"a\": 1}", "t.jsonl")), (std::vector<Fields>{{{"a", "1"}}}));
}

TEST(Table, text_that_is_not_utf8_names_the_line) {
  for (const char* file : {"t.csv", "t.tsv"}) {
    expect_user_error([&] { return parse_table("a\nb\n\xFF\n", file); }, {std::string(file) + ":3", "UTF-8"});
  }
  expect_user_error([] { return parse_table("{\"a\": 1}\n{\"a\": \"\xC3\"}\n", "t.jsonl"); }, {"t.jsonl:2", "UTF-8"});
}

TEST(Table, nothing_in_it) {
  for (const char* file : {"t.csv", "t.tsv", "t.jsonl"}) {
    expect_user_error([&] { return parse_table("", file); }, {file, "empty"});
    expect_user_error([&] { return parse_table("\n\n", file); }, {file, "no rows"});
  }
  expect_user_error([] { return parse_table("a,b\n", "t.csv"); }, {"t.csv", "no rows"});
}

TEST(Table, the_extension_decides_before_the_file_is_opened) {
  expect_user_error([] { return read_table("absent/t.parquet"); }, {"t.parquet", ".jsonl", ".csv", ".tsv"});
  expect_user_error([] { return read_table("absent/t.csv"); }, {"absent/t.csv"});
}

TEST(Table, read_from_a_file) {
  const io::testing::TempFolder folder;
  const auto file = io::testing::write_file(folder.path() / "t.tsv", "a\tb\n1\t2\n");
  const Table table = read_table(file);
  EXPECT_EQ(table.file, file);
  EXPECT_EQ(fields_of(table), (std::vector<Fields>{{{"a", "1"}, {"b", "2"}}}));
}

TEST(Table, sst2_as_glue_ships_it) {
  const auto folder = tests::data() / "datasets/sst2_glue";
  QZO_NEED_FOLDER(folder);
  const Table table = read_table(folder / "test.tsv");
  ASSERT_EQ(table.rows.size(), 872u);
  EXPECT_EQ(table.rows[1].fields, (Fields{{"sentence", "unflinchingly bleak and desperate "}, {"label", "0"}}));
  EXPECT_EQ(table.rows[1].line, 3);
  std::int64_t positive = 0;
  for (const Row& row : table.rows) positive += row.fields.at("label") == "1" ? 1 : 0;
  EXPECT_EQ(positive, 444);
}

}  // namespace
}  // namespace qzo::data
