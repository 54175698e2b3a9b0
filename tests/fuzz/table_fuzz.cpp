// Any bytes as a table: rows of the same columns by ascending line, or an error of ours.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/data/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const char* file : {"fuzz.jsonl", "fuzz.csv", "fuzz.tsv"}) {
    try {
      const qzo::data::Table table = qzo::data::parse_table(bytes, file);
      const bool has_header = std::string_view(file) != "fuzz.jsonl";
      std::int64_t line = has_header ? 1 : 0;
      if (table.rows.empty()) std::abort();
      for (const qzo::data::Row& row : table.rows) {
        if (row.line <= line || row.line > static_cast<std::int64_t>(size) + 1) std::abort();
        if (has_header && row.fields.size() != table.rows[0].fields.size()) std::abort();
        line = row.line;
      }
    } catch (const qzo::core::Error& error) {
      if (error.code() != qzo::core::ExitCode::kUsage) std::abort();
    }
  }
  return 0;
}
