#pragma once
// Tables of text: JSON Lines, CSV (RFC 4180 quoting), TSV (no quoting, as GLUE files are). First CSV/TSV line = column
// names.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace qzo::data {

struct Row {
  std::map<std::string, std::string> fields;  // JSON numbers and booleans as their JSON text; null = absent
  std::int64_t line = 0;                      // 1-based line in the file where the row begins
};

struct Table {
  std::filesystem::path file;
  std::vector<Row> rows;
};

// By extension (.jsonl, .csv, .tsv). UserError with file and line for malformed rows, rows with another number of
// columns, invalid UTF-8, duplicate column names, an empty file.
Table read_table(const std::filesystem::path& file);

}  // namespace qzo::data
