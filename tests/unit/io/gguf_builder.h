#pragma once
// Writes GGUF files byte by byte, right or wrong.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "unit/io/test_files.h"

namespace qzo::io::testing {

inline std::string gguf_string(std::string_view text) {
  return little_endian<std::uint64_t>(text.size()) + std::string(text);
}

struct GgufBuilder {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;       // of the data; the key is written by the test
  std::uint64_t claimed_tensors = 0;  // added to the true count
  std::uint64_t claimed_pairs = 0;
  std::string data;

  GgufBuilder& pair(std::string_view key, std::uint32_t type, std::string_view value) {
    pairs_.push_back(gguf_string(key) + little_endian(type) + std::string(value));
    return *this;
  }
  GgufBuilder& array(std::string_view key, std::uint32_t type, std::uint64_t count, std::string_view elements) {
    return pair(key, 9, little_endian(type) + little_endian(count) + std::string(elements));
  }
  // `dimensions` fastest first, as they are stored.
  GgufBuilder& tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions, std::uint32_t type,
                      std::uint64_t offset) {
    std::string info = gguf_string(name) + little_endian(static_cast<std::uint32_t>(dimensions.size()));
    for (const std::uint64_t dimension : dimensions) info += little_endian(dimension);
    infos_.push_back(info + little_endian(type) + little_endian(offset));
    return *this;
  }
  std::string tables() const {
    std::string bytes = magic + little_endian(version) + little_endian(infos_.size() + claimed_tensors) +
                        little_endian(pairs_.size() + claimed_pairs);
    for (const std::string& pair : pairs_) bytes += pair;
    for (const std::string& info : infos_) bytes += info;
    return bytes;
  }
  std::string bytes() const {
    std::string bytes = tables();
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
    return bytes + data;
  }

 private:
  std::vector<std::string> pairs_, infos_;
};

}  // namespace qzo::io::testing
