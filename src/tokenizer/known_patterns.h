#pragma once
// The patterns that most checkpoints cut texts with, matched by hand: several times faster than the engine, same
// matches.

#include <string_view>
#include <vector>

#include "tokenizer/regex.h"

namespace qzo::tokenizer {

inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kClipPattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
inline constexpr std::string_view kSpacesPattern = R"(\s+)";

// Does what Regex::find_all does for the pattern.
using FindAll = void (*)(std::string_view text, std::vector<Range>& matches);
// Null for a pattern that is none of the above.
FindAll known_pattern(std::string_view pattern);

}  // namespace qzo::tokenizer
