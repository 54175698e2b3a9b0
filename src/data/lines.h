#pragma once
// Lines of a text file, and errors that name one.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::data {

template <class... Parts>
[[noreturn]] void refuse(const std::filesystem::path& file, std::int64_t line, const Parts&... what) {
  throw core::UserError(core::text(file.string(), ":", line, ": ", what...));
}

// Without their ends (LF or CRLF). A last line needs no end.
class Lines {
 public:
  explicit Lines(std::string_view bytes) : rest_(bytes) {}

  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return line;
  }
  // Of the line that next() gave last, from 1.
  [[nodiscard]] std::int64_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::int64_t number_ = 0;
};

}  // namespace qzo::data
