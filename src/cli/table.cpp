#include "qzo/cli/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace qzo::cli {
namespace {

std::string printed(const char* format, int digits, double value) {
  if (std::isnan(value)) return "nan";  // printf shows its sign
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, format, digits, value);
  return buffer;
}

// Columns on a terminal: bytes of UTF-8 that begin a character.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; }));
}

}  // namespace

std::string fixed(double value, int digits) { return printed("%.*f", digits, value); }

std::string percent(double share, int digits) { return fixed(100 * share, digits) + " %"; }

std::string short_number(double value) { return printed("%.*g", 3, value); }

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string Table::str() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i]), ' ');
      if (i > 0) line += "  ";
      const bool left = i == 0 || (last_ == LastColumn::kRemarks && i + 1 == widths.size());
      line += left ? row[i] + padding : padding + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace qzo::cli
