#pragma once
// Tensors of known places in an unfinished file.

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

#include "io/output_file.h"

namespace qzo::io {

class PlannedFile {
 public:
  explicit PlannedFile(const std::filesystem::path& unfinished) : output_(unfinished) {}

  void write_header(std::span<const std::byte> bytes) { output_.write(bytes); }
  // `offset` from the start of the file. InternalError for a name that is planned twice.
  void plan(const std::string& name, std::uint64_t offset, std::uint64_t bytes);
  void write(const std::string& name, std::span<const std::byte> bytes);
  // InternalError unless every planned tensor was written.
  void check_complete() const;
  [[nodiscard]] OutputFile& output() { return output_; }

 private:
  struct Place {
    std::uint64_t offset = 0, bytes = 0;
    bool written = false;
  };
  OutputFile output_;
  std::unordered_map<std::string, Place> places_;
};

}  // namespace qzo::io
