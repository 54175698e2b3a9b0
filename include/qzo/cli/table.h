#pragma once
// Numbers and aligned tables for people.

#include <cstdint>
#include <string>
#include <vector>

namespace qzo::cli {

std::string fixed(double value, int digits);        // "0.571"; "nan" and "inf" stay visible
std::string percent(double share, int digits = 1);  // 0.704 -> "70.4 %"
std::string short_number(double value);             // 3 significant digits: "0.0123", "1.2e-07"
std::string grouped(std::int64_t value);            // "10,604"

enum class LastColumn { kNumbers, kRemarks };

// First column left-aligned, the others right-aligned (remarks in the last one left), two blanks between columns.
class Table {
 public:
  explicit Table(std::vector<std::string> header, LastColumn last = LastColumn::kNumbers)
      : rows_{std::move(header)}, last_(last) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  LastColumn last_;
};

}  // namespace qzo::cli
