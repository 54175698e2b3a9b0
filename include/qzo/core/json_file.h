#pragma once
// Strict JSON: no duplicate keys, bounded nesting, positions in errors. Every JSON file the programs read comes through
// here.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace qzo::core {

using Json = nlohmann::json;

// `source` names the text in errors ("model/config.json"). Throws UserError with line and column on malformed text,
// duplicate keys ("key path" is named), nesting deeper than `max_depth`, or invalid UTF-8.
Json parse_json(std::string_view text, const std::string& source, int max_depth = 100);

// Reads and parses. UserError if the file is absent, unreadable or larger than `max_bytes`.
Json read_json(const std::filesystem::path& file, std::uint64_t max_bytes = 256u << 20);

// Line (1-based) on which each key path ("zo.eps") of a JSON text stands, for messages about config files. Elements of
// arrays have no name: "list.b" is the first "b" in any of them. Keys are taken as written, escapes not decoded.
std::map<std::string, int> json_key_lines(std::string_view text);

}  // namespace qzo::core
