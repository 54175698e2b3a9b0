// Any bytes as a GGUF file: tensors that lie within it, apart from each other, or an error of ours.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/io/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    std::vector<qzo::io::TensorEntry> tensors;
    qzo::io::parse_gguf(bytes, "fuzz", tensors);
    std::uint64_t free_from = 0;
    for (const qzo::io::TensorEntry& entry : tensors) {
      if (entry.offset < free_from || entry.offset > size || entry.bytes.size() > size - entry.offset) std::abort();
      if (entry.bytes.data() != bytes.data() + entry.offset) std::abort();
      free_from = entry.offset + entry.bytes.size();
    }
  } catch (const qzo::core::Error& error) {
    if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
  }
  return 0;
}
