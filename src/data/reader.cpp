#include "qzo/data/reader.h"

#include <array>
#include <utility>

#include "qzo/core/fs.h"
#include "qzo/core/json_file.h"

#include "data/delimited.h"
#include "data/lines.h"

namespace qzo::data {

namespace {

std::vector<Row> read_jsonl(std::string_view bytes, const std::filesystem::path& file) {
  std::vector<Row> rows;
  Lines lines(bytes);
  while (const auto line = lines.next()) {
    if (line->find_first_not_of(" \t") == std::string_view::npos) continue;
    Row row;
    row.line = lines.number();
    const core::Json json = core::parse_json(*line, core::text(file.string(), ":", row.line));
    if (!json.is_object()) {
      refuse(file, row.line, "the line holds a JSON ", json.type_name(), ", expected an object with one row's fields");
    }
    for (const auto& [name, value] : json.items()) {
      if (value.is_null()) continue;
      if (value.is_structured()) {
        refuse(file, row.line, "the field ", core::quoted(name), " is an ", value.type_name(),
               ", expected a string, number or boolean; flatten the file");
      }
      row.fields.emplace(name, value.is_string() ? value.get<std::string>() : value.dump());
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

using Reader = std::vector<Row> (*)(std::string_view, const std::filesystem::path&);
constexpr std::array<std::pair<std::string_view, Reader>, 3> kReaders = {
    {{".jsonl", &read_jsonl}, {".csv", &read_csv}, {".tsv", &read_tsv}}};

Reader reader_of(const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  for (const auto& [known, reader] : kReaders) {
    if (known == extension) return reader;
  }
  throw core::UserError(core::text(file.string(), ": tables with the extension ", core::quoted(extension),
                                   " are not read; convert the file to .jsonl, .csv or .tsv"));
}

// A line end is never part of a longer character, so lines can be looked at one by one.
void check_utf8(std::string_view bytes, const std::filesystem::path& file) {
  if (core::valid_utf8(bytes)) return;
  Lines lines(bytes);
  while (const auto line = lines.next()) {
    if (!core::valid_utf8(*line)) refuse(file, lines.number(), "the text is not UTF-8; convert the file to UTF-8");
  }
}

}  // namespace

Table parse_table(std::string_view bytes, const std::filesystem::path& file) {
  const Reader reader = reader_of(file);
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  check_utf8(bytes, file);
  Table table{file, reader(bytes, file)};
  if (table.rows.empty()) {
    throw core::UserError(
        core::text(file.string(), bytes.empty() ? ": the file is empty" : ": the table has no rows", "; add examples"));
  }
  return table;
}

Table read_table(const std::filesystem::path& file) {
  reader_of(file);  // before a large file of another kind is read
  return parse_table(core::read_file(file), file);
}

}  // namespace qzo::data
