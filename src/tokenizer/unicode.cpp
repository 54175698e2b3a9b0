#include "tokenizer/unicode.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include <utf8proc.h>

#include "qzo/core/text.h"

namespace qzo::tokenizer {

namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;
// The alphabet: printable Latin-1 characters stand for themselves, the other 68 bytes for U+0100 and following.
constexpr std::uint32_t kAlphabetEnd = 0x100 + 68;

utf8proc_category_t category(std::uint32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::array<std::uint32_t, 256> byte_code_points() {
  std::array<std::uint32_t, 256> out{};
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    out[byte] = printable ? byte : next++;
  }
  return out;
}

utf8proc_option_t options_of(NormalForm form) {
  const bool compose = form == NormalForm::kNfc || form == NormalForm::kNfkc;
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                                        (compatible ? UTF8PROC_COMPAT : 0));
}

}  // namespace

std::size_t character_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
}

std::uint32_t code_point_at(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return first;
  utf8proc_int32_t code_point = -1;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                   static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
  return code_point < 0 ? kReplacement : static_cast<std::uint32_t>(code_point);
}

std::size_t previous_character(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

void append_code_point(std::string& out, std::uint32_t code_point) {
  std::array<utf8proc_uint8_t, 4> buffer{};
  const utf8proc_ssize_t length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), buffer.data());
  out.append(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(length));
}

std::string replace_invalid_utf8(std::string_view text) {
  if (core::valid_utf8(text)) return std::string(text);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text[at]);
    if (at + length <= text.size() && core::valid_utf8(text.substr(at, length))) {
      out += text.substr(at, length);
      at += length;
    } else {
      append_code_point(out, kReplacement);
      ++at;
    }
  }
  return out;
}

bool is_white_space(std::uint32_t code_point) {
  switch (category(code_point)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return true;
    default:
      return (code_point >= 9 && code_point <= 13) || code_point == 0x85;
  }
}

bool is_number(std::uint32_t code_point) {
  const utf8proc_category_t kind = category(code_point);
  return kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}

bool is_word(std::uint32_t code_point) {
  // Rust's \w, which decides for Hugging Face: alphabetic (so also letter numbers), marks, decimal digits, connectors,
  // and the two joiners.
  const utf8proc_category_t kind = category(code_point);
  return (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_NL) || kind == UTF8PROC_CATEGORY_PC ||
         code_point == 0x200C || code_point == 0x200D;
}

std::string normalize(std::string_view text, NormalForm form) {
  if (is_ascii(text)) return std::string(text);
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                               static_cast<utf8proc_ssize_t>(text.size()), &result, options_of(form));
  if (length < 0) throw std::bad_alloc();  // the text is valid UTF-8, so memory is all that can fail
  std::string out(reinterpret_cast<const char*>(result), static_cast<std::size_t>(length));
  std::free(result);
  return out;
}

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); at += character_length(text[at])) {
    const std::uint32_t code_point = code_point_at(text, at);
    if (code_point < 0x80) {
      out += static_cast<char>(code_point >= 'A' && code_point <= 'Z' ? code_point + 32 : code_point);
      continue;
    }
    append_code_point(out, static_cast<std::uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point))));
    // The only character whose lower case is two: I with a dot above.
    if (code_point == 0x130) append_code_point(out, 0x307);
  }
  return out;
}

const std::array<std::string, 256>& byte_characters() {
  static const std::array<std::string, 256> table = [] {
    std::array<std::string, 256> characters;
    const std::array<std::uint32_t, 256> code_points = byte_code_points();
    for (std::size_t byte = 0; byte < 256; ++byte) append_code_point(characters[byte], code_points[byte]);
    return characters;
  }();
  return table;
}

std::optional<std::string> characters_to_bytes(std::string_view text) {
  static const std::array<std::int16_t, kAlphabetEnd> inverse = [] {
    std::array<std::int16_t, kAlphabetEnd> table{};
    table.fill(-1);
    const std::array<std::uint32_t, 256> code_points = byte_code_points();
    for (std::size_t byte = 0; byte < 256; ++byte) table[code_points[byte]] = static_cast<std::int16_t>(byte);
    return table;
  }();
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); at += character_length(text[at])) {
    const std::uint32_t code_point = code_point_at(text, at);
    if (code_point >= kAlphabetEnd || inverse[code_point] < 0) return std::nullopt;
    out += static_cast<char>(inverse[code_point]);
  }
  return out;
}

}  // namespace qzo::tokenizer
