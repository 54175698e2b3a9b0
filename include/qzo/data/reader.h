#pragma once
// Tables of text: JSON Lines, CSV (RFC 4180 quoting), TSV (no quoting, as GLUE files are). First CSV/TSV line = column
// names. UTF-8, with or without a byte order mark; lines end with LF or CRLF; empty lines are passed over.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace qzo::data {

struct Row {
  std::map<std::string, std::string> fields;  // JSON numbers and booleans as their JSON text; null = absent
  std::int64_t line = 0;                      // 1-based line in the file where the row begins
};

struct Table {
  std::filesystem::path file;
  std::vector<Row> rows;  // at least one
};

// By extension (.jsonl, .csv, .tsv). UserError with file and line for malformed rows, rows with another number of
// columns, invalid UTF-8, nested JSON values, duplicate column names; with the file if it is empty or of another kind.
Table read_table(const std::filesystem::path& file);
// The checks alone, on bytes (fuzzing); `file` gives the kind and the name in messages.
Table parse_table(std::string_view bytes, const std::filesystem::path& file);

}  // namespace qzo::data
