#include "data/delimited.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "data/lines.h"

namespace qzo::data {

namespace {

struct Record {
  std::int64_t line = 0;  // where it begins
  std::vector<std::string> values;
};

class CsvRecords {
 public:
  CsvRecords(std::string_view bytes, const std::filesystem::path& file) : bytes_(bytes), file_(file) {}

  std::optional<Record> next() {
    while (bytes_.substr(at_).starts_with('\n') || bytes_.substr(at_).starts_with("\r\n")) end_line();
    if (at_ == bytes_.size()) return std::nullopt;
    Record record{line_, {}};
    do {
      record.values.push_back(take('"') ? quoted_field() : plain_field());
    } while (take(','));
    end_line();
    return record;
  }

 private:
  bool take(char expected) {
    const bool found = at_ < bytes_.size() && bytes_[at_] == expected;
    at_ += found ? 1 : 0;
    return found;
  }

  std::string plain_field() {
    const std::size_t end = std::min(bytes_.find_first_of(",\r\n", at_), bytes_.size());
    std::string value(bytes_.substr(at_, end - at_));
    if (value.find('"') != std::string::npos) {
      refuse(file_, line_, "the field ", core::quoted(value),
             " holds a quote but does not begin with one; put the whole field in quotes and double the quotes in it");
    }
    at_ = end;
    return value;
  }

  // Behind the opening quote.
  std::string quoted_field() {
    const std::int64_t first_line = line_;
    std::string value;
    for (;;) {
      const std::size_t quote = bytes_.find('"', at_);
      if (quote == std::string_view::npos) {
        refuse(file_, first_line, "a quoted field begins here and is never closed; add the closing quote");
      }
      const std::string_view part = bytes_.substr(at_, quote - at_);
      value += part;
      line_ += std::count(part.begin(), part.end(), '\n');
      at_ = quote + 1;
      if (!take('"')) break;
      value += '"';
    }
    if (at_ < bytes_.size() && bytes_.find_first_of(",\r\n", at_) != at_) {
      refuse(file_, line_, "text stands behind the closing quote of a field; double the quotes inside a quoted field");
    }
    return value;
  }

  void end_line() {
    if (at_ == bytes_.size()) return;
    const bool carriage_return = take('\r');
    if (!take('\n') && carriage_return) {
      refuse(file_, line_, "a carriage return without a line feed; let lines end with LF or CRLF, or quote the field");
    }
    ++line_;
  }

  std::string_view bytes_;
  const std::filesystem::path& file_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

class TsvRecords {
 public:
  TsvRecords(std::string_view bytes, const std::filesystem::path&) : lines_(bytes) {}

  std::optional<Record> next() {
    std::optional<std::string_view> line = lines_.next();
    while (line && line->empty()) line = lines_.next();
    if (!line) return std::nullopt;
    Record record{lines_.number(), {}};
    for (;;) {
      const std::size_t tab = line->find('\t');
      record.values.emplace_back(line->substr(0, tab));
      if (tab == std::string_view::npos) return record;
      line->remove_prefix(tab + 1);
    }
  }

 private:
  Lines lines_;
};

void check_header(const Record& header, const std::filesystem::path& file) {
  std::set<std::string> seen;
  for (const std::string& name : header.values) {
    if (name.empty()) refuse(file, header.line, "the header has a column without a name; name every column");
    if (!seen.insert(name).second) {
      refuse(file, header.line, "the header names the column ", core::quoted(name), " twice; rename one of them");
    }
  }
}

template <class Records>
std::vector<Row> read_records(std::string_view bytes, const std::filesystem::path& file, const char* advice) {
  Records records(bytes, file);
  const std::optional<Record> header = records.next();
  std::vector<Row> rows;
  if (!header) return rows;
  check_header(*header, file);
  while (std::optional<Record> record = records.next()) {
    if (record->values.size() != header->values.size()) {
      refuse(file, record->line, "the row has ", record->values.size(), " values, the header names ",
             header->values.size(), " columns; ", advice);
    }
    Row row;
    row.line = record->line;
    for (std::size_t i = 0; i < record->values.size(); ++i) {
      row.fields.emplace(header->values[i], std::move(record->values[i]));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::vector<Row> read_csv(std::string_view bytes, const std::filesystem::path& file) {
  return read_records<CsvRecords>(bytes, file, "put values that hold commas in quotes");
}

std::vector<Row> read_tsv(std::string_view bytes, const std::filesystem::path& file) {
  return read_records<TsvRecords>(bytes, file, "columns are separated by single tabs, and no value may hold one");
}

}  // namespace qzo::data
