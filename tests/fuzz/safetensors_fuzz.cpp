// Any bytes as a safetensors file: tensors that lie within it, or an error of ours.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "qzo/core/error.h"
#include "qzo/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    std::map<std::string, std::string> metadata;
    for (const qzo::io::TensorEntry& entry : qzo::io::parse_safetensors(bytes, "fuzz", &metadata)) {
      if (entry.offset > size || entry.bytes.size() > size - entry.offset) std::abort();
      if (entry.bytes.data() != bytes.data() + entry.offset) std::abort();
    }
  } catch (const qzo::core::Error& error) {
    if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
  }
  return 0;
}
