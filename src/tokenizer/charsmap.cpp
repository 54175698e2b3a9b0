#include "tokenizer/charsmap.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <utf8proc.h>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::tokenizer {

namespace {

// A unit of the double array: label in the low 8 bits (with bit 31, which marks a value), bit 8: a value follows, bit
// 9: the offset is in units of 256, offset from bit 10.
bool has_value(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t label(std::uint32_t unit) { return unit & (1u << 31 | 0xFF); }
std::uint32_t offset(std::uint32_t unit) { return (unit >> 10) << ((unit & 1u << 9) >> 6); }
std::uint32_t value(std::uint32_t unit) { return unit & ~(1u << 31); }

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(Charsmap map) : map_(std::move(map)) {}

  void apply(std::string& text) const override {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = grapheme_end(text, at);
      append(std::string_view(text).substr(at, end - at), out);
      at = end;
    }
    text = std::move(out);
  }

 private:
  static constexpr std::size_t kLongestGrapheme = 5;  // bytes; longer ones are only looked at by character

  static std::size_t grapheme_end(std::string_view text, std::size_t at) {
    auto last = static_cast<utf8proc_int32_t>(code_point_at(text, at));
    utf8proc_int32_t state = 0;
    for (at += character_length(text[at]); at < text.size(); at += character_length(text[at])) {
      const auto next = static_cast<utf8proc_int32_t>(code_point_at(text, at));
      const bool both_ascii = last < 0x80 && next < 0x80;
      if (both_ascii ? last != '\r' || next != '\n' : utf8proc_grapheme_break_stateful(last, next, &state)) break;
      last = next;
    }
    return at;
  }

  void append(std::string_view grapheme, std::string& out) const {
    if (grapheme.size() <= kLongestGrapheme) {
      if (const Charsmap::Match found = map_.shortest(grapheme); found.length > 0) {
        out += found.replacement;
        return;
      }
    }
    for (std::size_t at = 0; at < grapheme.size();) {
      const std::string_view character = grapheme.substr(at, character_length(grapheme[at]));
      const Charsmap::Match found = map_.shortest(character);
      out += found.length > 0 ? found.replacement : character;
      at += character.size();
    }
  }

  Charsmap map_;
};

}  // namespace

Charsmap::Charsmap(std::string_view bytes, const std::string& where) {
  if (bytes.empty()) return;
  std::uint32_t length = 0;
  if (bytes.size() >= sizeof(length)) std::memcpy(&length, bytes.data(), sizeof(length));
  if (length == 0 || length % sizeof(std::uint32_t) != 0 || length > bytes.size() - sizeof(length)) {
    throw core::UserError(core::text(where, ": the character map of ", bytes.size(), " bytes gives its trie ", length,
                                     " bytes; the file is damaged"));
  }
  units_.resize(length / sizeof(std::uint32_t));
  std::memcpy(units_.data(), bytes.data() + sizeof(length), length);
  replacements_ = bytes.substr(sizeof(length) + length);
}

std::string_view Charsmap::replacement(std::uint32_t offset) const {
  const std::size_t begin = std::min<std::size_t>(offset, replacements_.size());
  const std::size_t end = std::min(replacements_.find('\0', begin), replacements_.size());
  return std::string_view(replacements_).substr(begin, end - begin);
}

Charsmap::Match Charsmap::find(std::string_view text, bool first) const {
  Match found;
  if (units_.empty()) return found;
  std::size_t node = offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label(units_[node]) != byte) break;
    const bool ends = has_value(units_[node]);
    node ^= offset(units_[node]);
    if (!ends) continue;
    if (node >= units_.size()) break;
    found = {i + 1, replacement(value(units_[node]))};
    if (first) break;
  }
  return found;
}

NormalizerPtr make_precompiled(Charsmap map) { return std::make_unique<Precompiled>(std::move(map)); }

}  // namespace qzo::tokenizer
