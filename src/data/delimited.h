#pragma once
// Tables with a header line and one separator. `bytes`: valid UTF-8 without a byte order mark.

#include <filesystem>
#include <string_view>
#include <vector>

#include "qzo/data/reader.h"

namespace qzo::data {

// Fields may be quoted (RFC 4180): they then hold commas, doubled quotes and line ends.
std::vector<Row> read_csv(std::string_view bytes, const std::filesystem::path& file);
// Quotes are ordinary characters: GLUE's sentences hold unpaired ones.
std::vector<Row> read_tsv(std::string_view bytes, const std::filesystem::path& file);

}  // namespace qzo::data
