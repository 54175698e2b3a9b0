#pragma once
// The classes that pre-tokenizer patterns tell apart, from the regex engine's own Unicode tables.

#include <cstdint>

namespace qzo::tokenizer {

enum class CharacterClass : std::uint8_t { kOther, kLetter, kNumber, kSpace };  // -, \p{L}, \p{N}, \s

// One byte for each code point (up to 0x10FFFF).
const CharacterClass* character_classes();

}  // namespace qzo::tokenizer
