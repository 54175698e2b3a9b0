#include "qzo/data/reader.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/json_file.h"
#include "qzo/core/text.h"

namespace qzo::data {

namespace {

using core::text;
using core::UserError;

[[noreturn]] void refuse(const std::filesystem::path& file, std::int64_t line, const std::string& what) {
  throw UserError(text(file.string(), ":", line, ": ", what));
}

// Lines without their end (LF or CRLF); a last line without an end counts, an empty rest does not.
class Lines {
 public:
  explicit Lines(std::string_view bytes) : rest_(bytes) {}
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++number_;
    return line;
  }
  [[nodiscard]] std::int64_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::int64_t number_ = 0;
};

void check_columns(const std::filesystem::path& file, const std::vector<std::string>& columns) {
  std::set<std::string> seen;
  for (const std::string& name : columns) {
    if (name.empty()) refuse(file, 1, "the header has a column without a name");
    if (!seen.insert(name).second)
      refuse(file, 1, text("the column ", core::quoted(name), " stands twice in the header"));
  }
}

Row make_row(const std::filesystem::path& file, std::int64_t line, const std::vector<std::string>& columns,
             std::vector<std::string> values) {
  if (values.size() != columns.size()) {
    refuse(file, line, text("found ", values.size(), " columns, the header has ", columns.size()));
  }
  Row row;
  row.line = line;
  for (std::size_t i = 0; i < columns.size(); ++i) row.fields.emplace(columns[i], std::move(values[i]));
  return row;
}

std::vector<std::string> split_tabs(std::string_view line) {
  std::vector<std::string> out;
  for (std::size_t begin = 0;;) {
    const std::size_t end = line.find('\t', begin);
    out.emplace_back(line.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return out;
    begin = end + 1;
  }
}

std::vector<Row> read_tsv(const std::filesystem::path& file, std::string_view bytes) {
  Lines lines(bytes);
  const std::vector<std::string> columns = split_tabs(lines.next().value_or(""));
  check_columns(file, columns);
  std::vector<Row> rows;
  while (const auto line = lines.next()) {
    if (!line->empty()) rows.push_back(make_row(file, lines.number(), columns, split_tabs(*line)));
  }
  return rows;
}

// RFC 4180: a quoted field may hold commas, doubled quotes and line ends.
class CsvRecords {
 public:
  CsvRecords(const std::filesystem::path& file, std::string_view bytes) : file_(file), bytes_(bytes) {}

  // Empty at the end of the file. `line`: where the record begins.
  std::vector<std::string> next(std::int64_t& line) {
    std::vector<std::string> fields;
    line = line_;
    while (at_ < bytes_.size()) {
      fields.push_back(bytes_[at_] == '"' ? quoted_field() : plain_field());
      if (at_ >= bytes_.size()) break;
      if (bytes_[at_] == ',') {
        ++at_;
        if (at_ == bytes_.size()) fields.emplace_back();
        continue;
      }
      end_line();
      break;
    }
    return fields;
  }

 private:
  std::string plain_field() {
    const std::size_t end = std::min(bytes_.find_first_of(",\r\n", at_), bytes_.size());
    std::string out(bytes_.substr(at_, end - at_));
    if (out.find('"') != std::string::npos) refuse(file_, line_, "a quote inside a field that is not quoted");
    at_ = end;
    return out;
  }
  std::string quoted_field() {
    const std::int64_t begin_line = line_;
    std::string out;
    for (++at_; at_ < bytes_.size(); ++at_) {
      if (bytes_[at_] == '\n') ++line_;
      if (bytes_[at_] != '"') {
        out += bytes_[at_];
      } else if (at_ + 1 < bytes_.size() && bytes_[at_ + 1] == '"') {
        out += bytes_[at_++];
      } else {
        ++at_;
        if (at_ < bytes_.size() && bytes_.find_first_of(",\r\n", at_) != at_) {
          refuse(file_, line_, "text behind the closing quote of a field");
        }
        return out;
      }
    }
    refuse(file_, begin_line, "a quoted field is never closed");
  }
  void end_line() {
    if (bytes_[at_] == '\r') ++at_;
    if (at_ < bytes_.size() && bytes_[at_] == '\n') ++at_;
    ++line_;
  }

  const std::filesystem::path& file_;
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

std::vector<Row> read_csv(const std::filesystem::path& file, std::string_view bytes) {
  CsvRecords records(file, bytes);
  std::int64_t line = 0;
  const std::vector<std::string> columns = records.next(line);
  check_columns(file, columns);
  std::vector<Row> rows;
  for (;;) {
    std::vector<std::string> values = records.next(line);
    if (values.empty()) return rows;
    if (values.size() == 1 && values[0].empty() && columns.size() > 1) continue;  // blank line
    rows.push_back(make_row(file, line, columns, std::move(values)));
  }
}

std::vector<Row> read_jsonl(const std::filesystem::path& file, std::string_view bytes) {
  std::vector<Row> rows;
  Lines lines(bytes);
  while (const auto line = lines.next()) {
    if (line->find_first_not_of(" \t") == std::string_view::npos) continue;
    const core::Json json = core::parse_json(*line, text(file.string(), ":", lines.number()));
    if (!json.is_object()) refuse(file, lines.number(), "a row must be a JSON object");
    Row row;
    row.line = lines.number();
    for (const auto& [name, value] : json.items()) {
      if (value.is_null()) continue;
      if (value.is_structured()) {
        refuse(file, row.line,
               text("the field ", core::quoted(name), " is nested; strings, numbers and booleans are read"));
      }
      row.fields.emplace(name, value.is_string() ? value.get<std::string>() : value.dump());
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Table read_table(const std::filesystem::path& file) {
  const std::string contents = core::read_file(file);
  std::string_view bytes = contents;
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (!core::valid_utf8(bytes)) throw UserError(text(file.string(), ": the text is not UTF-8; convert it first"));
  const std::string extension = file.extension().string();
  Table table;
  table.file = file;
  if (extension == ".jsonl") {
    table.rows = read_jsonl(file, bytes);
  } else if (extension == ".csv") {
    table.rows = read_csv(file, bytes);
  } else if (extension == ".tsv") {
    table.rows = read_tsv(file, bytes);
  } else {
    throw UserError(
        text(file.string(), ": unknown kind of table ", core::quoted(extension), "; known are .jsonl, .csv and .tsv"));
  }
  if (table.rows.empty()) throw UserError(text(file.string(), ": the table has no rows"));
  return table;
}

}  // namespace qzo::data
