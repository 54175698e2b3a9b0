#pragma once
// Memory aligned to 64 bytes, as the kernels want their scratch.

#include <cstddef>
#include <new>

namespace qzo::test {

struct Aligned {
  explicit Aligned(std::size_t size) : memory(::operator new (size, std::align_val_t{64})) {}
  ~Aligned() { ::operator delete (memory, std::align_val_t{64}); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  [[nodiscard]] std::byte* bytes() const { return static_cast<std::byte*>(memory); }
  void* memory;
};

}  // namespace qzo::test
