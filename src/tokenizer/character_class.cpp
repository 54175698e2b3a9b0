#include "tokenizer/character_class.h"

#include <algorithm>
#include <string>
#include <vector>

#include <oniguruma.h>

#include "qzo/core/error.h"

namespace qzo::tokenizer {

namespace {

void mark(OnigCtype type, CharacterClass value, std::vector<CharacterClass>& classes) {
  OnigCodePoint single_bytes = 0;
  const OnigCodePoint* ranges = nullptr;  // their number, then first and last of each
  if (ONIG_ENCODING_UTF8->get_ctype_code_range(type, &single_bytes, &ranges) != ONIG_NORMAL) {
    throw core::InternalError("Oniguruma has no table for a class of characters");
  }
  for (OnigCodePoint i = 0; i < ranges[0]; ++i) {
    const auto first = static_cast<std::size_t>(ranges[2 * i + 1]);
    const auto last = std::min(static_cast<std::size_t>(ranges[2 * i + 2]), classes.size() - 1);
    for (std::size_t at = first; at <= last; ++at) classes[at] = value;
  }
}

OnigCtype property(std::string name) {
  auto* begin = reinterpret_cast<OnigUChar*>(name.data());
  const int type = ONIG_ENCODING_UTF8->property_name_to_ctype(ONIG_ENCODING_UTF8, begin, begin + name.size());
  if (type < 0) throw core::InternalError("Oniguruma does not know the property " + name);
  return static_cast<OnigCtype>(type);
}

}  // namespace

const CharacterClass* character_classes() {
  static const std::vector<CharacterClass> classes = [] {
    std::vector<CharacterClass> table(0x110000, CharacterClass::kOther);
    mark(property("L"), CharacterClass::kLetter, table);
    mark(property("N"), CharacterClass::kNumber, table);
    mark(ONIGENC_CTYPE_SPACE, CharacterClass::kSpace, table);
    return table;
  }();
  return classes.data();
}

}  // namespace qzo::tokenizer
