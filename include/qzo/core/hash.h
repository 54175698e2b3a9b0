#pragma once
// Checksums: CRC-32C (Castagnoli) for records, XXH3-64 for whole files and tensors.

#include <cstddef>
#include <cstdint>
#include <span>

namespace qzo::core {

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

std::uint64_t xxh3_64(std::span<const std::byte> bytes);

// Incremental XXH3-64 over several pieces.
class Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  Xxh3(const Xxh3&) = delete;
  Xxh3& operator=(const Xxh3&) = delete;
  void update(std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t digest() const;

 private:
  void* state_;
};

}  // namespace qzo::core
