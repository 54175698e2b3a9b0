#pragma once
// UTF-8 helpers shared by the steps of a tokenizer. Except for replace_invalid_utf8, texts must be valid UTF-8.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace qzo::tokenizer {

// Bytes of the character that begins with `first` (1 for anything that begins none).
std::size_t character_length(char first);
std::uint32_t code_point_at(std::string_view text, std::size_t at);
// Where the character that ends at `end` begins; end > 0.
std::size_t previous_character(std::string_view text, std::size_t end);
void append_code_point(std::string& out, std::uint32_t code_point);

// Every byte that is not part of a well-formed sequence becomes U+FFFD; well-formed text is returned unchanged.
std::string replace_invalid_utf8(std::string_view text);

bool is_white_space(std::uint32_t code_point);  // Unicode property White_Space
bool is_number(std::uint32_t code_point);       // categories Nd, Nl, No
bool is_word(std::uint32_t code_point);         // letters, marks, digits, connectors: the borders of single_word

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::string normalize(std::string_view text, NormalForm form);
std::string lowercase(std::string_view text);

// GPT-2's byte alphabet: a printable character stands for every byte.
const std::array<std::string, 256>& byte_characters();
// The bytes that `text` stands for; nullopt if it has a character outside of the alphabet.
std::optional<std::string> characters_to_bytes(std::string_view text);

}  // namespace qzo::tokenizer
