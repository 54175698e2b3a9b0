#include "io/planned_file.h"

#include "qzo/core/check.h"

namespace qzo::io {

void PlannedFile::plan(const std::string& name, std::uint64_t offset, std::uint64_t bytes) {
  const bool is_new = places_.emplace(name, Place{offset, bytes}).second;
  QZO_CHECK(is_new, "tensor ", name, " is given twice");
}

void PlannedFile::write(const std::string& name, std::span<const std::byte> bytes) {
  const auto place = places_.find(name);
  QZO_CHECK(place != places_.end() && !place->second.written, "tensor ", name, " is not expected");
  QZO_CHECK(place->second.bytes == bytes.size(), "tensor ", name, " has ", bytes.size(), " bytes, planned ",
            place->second.bytes);
  output_.write_at(bytes, place->second.offset);
  place->second.written = true;
}

void PlannedFile::check_complete() const {
  for (const auto& [name, place] : places_) QZO_CHECK(place.written, "tensor ", name, " is missing");
}

}  // namespace qzo::io
