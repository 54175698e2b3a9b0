#pragma once
// Small text helpers for messages: concatenation, nearest name, glob patterns, human-readable amounts.

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace qzo::core {

// text("a", 1, 'c') == "a1c". Floating-point numbers with up to 9 significant digits.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  out.precision(9);
  (out << ... << parts);
  return out.str();
}

// The candidate with the smallest edit distance to `name`, or "" if none is near enough to be a likely typing error.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// Shell-style pattern: '*' any run of characters (also '.'), '?' one character. The whole name must match.
bool glob_match(std::string_view pattern, std::string_view name);

// "1.2 GB" (powers of 1000), "3 min 20 s".
std::string human_bytes(std::uint64_t bytes);
std::string human_seconds(double seconds);

// Shape as text: [4, 32].
std::string shape_text(const std::vector<std::int64_t>& shape);

// True if `bytes` is well-formed UTF-8.
bool valid_utf8(std::string_view bytes);
// Bytes before the first that is not (bytes.size() if all is well-formed).
std::size_t valid_utf8_length(std::string_view bytes);

// Something from a file, for use in a message: its first `limit` characters, control characters and bytes that are not
// UTF-8 as \xNN, so that the message can always stand in JSON. quoted() also puts quotes around it.
std::string printable(std::string_view bytes, std::size_t limit = 60);
std::string quoted(std::string_view bytes, std::size_t limit = 60);

}  // namespace qzo::core
