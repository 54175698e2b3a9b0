#include "qzo/core/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace qzo::core {

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

// Length of the character at the start of `bytes` (not empty); 0 if that is not well-formed.
std::size_t utf8_sequence_length(std::string_view bytes) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || length > bytes.size()) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(k) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  // Overlong forms, surrogates and code points above U+10FFFF.
  const bool forbidden = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                         (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return forbidden ? 0 : length;
}

std::string escaped(std::string_view bytes, std::size_t limit, std::string_view with_backslash) {
  std::string out;
  for (std::size_t characters = 0; !bytes.empty() && characters < limit; ++characters) {
    const std::size_t length = utf8_sequence_length(bytes);
    const auto code = static_cast<unsigned char>(bytes.front());
    if (length == 0 || code < 0x20 || code == 0x7F) {
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", code);
      out += hex.data();
    } else {
      if (with_backslash.find(bytes.front()) != std::string_view::npos) out += '\\';
      out += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return bytes.empty() ? out : out + "...";
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  // A third of the letters wrong is still a likely typing error; more is another word.
  std::size_t best_distance = std::max<std::size_t>(name.size() / 3, 1) + 1;
  std::string best;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

bool glob_match(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_name = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++p;
      ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  double amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 999.5 && unit + 1 < kUnits.size()) {
    amount /= 1000;
    ++unit;
  }
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), unit == 0 || amount >= 99.95 ? "%.0f %s" : "%.1f %s", amount, kUnits[unit]);
  return out.data();
}

std::string human_seconds(double seconds) {
  std::array<char, 48> out{};
  if (seconds < 60) {
    std::snprintf(out.data(), out.size(), seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  } else {
    const auto total = std::llround(seconds);
    if (total < 3600) {
      std::snprintf(out.data(), out.size(), "%lld min %02lld s", total / 60, total % 60);
    } else {
      std::snprintf(out.data(), out.size(), "%lld h %02lld min", total / 3600, total % 3600 / 60);
    }
  }
  return out.data();
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return out + "]";
}

std::size_t valid_utf8_length(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t length = utf8_sequence_length(bytes.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

bool valid_utf8(std::string_view bytes) { return valid_utf8_length(bytes) == bytes.size(); }

std::string printable(std::string_view bytes, std::size_t limit) { return escaped(bytes, limit, ""); }

std::string quoted(std::string_view bytes, std::size_t limit) { return '"' + escaped(bytes, limit, "\"\\") + '"'; }

}  // namespace qzo::core
