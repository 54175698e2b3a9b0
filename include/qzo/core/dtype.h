#pragma once
// Element types that can stand in a checkpoint: one table for safetensors and GGUF.

#include <cstdint>
#include <string_view>

namespace qzo::core {

enum class Dtype : std::uint8_t {
  kBool,
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kU64,
  kI64,
  kF8E4M3,
  kF8E5M2,
  kF16,
  kBF16,
  kF32,
  kF64,
  // GGUF block types: 32 (or 256) weights with their scales in one block along the fastest dimension
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ4_K,
  kQ5_K,
  kQ6_K,
};

struct DtypeInfo {
  std::string_view name;     // "F16", "Q4_1": the name used in messages and tables
  std::int64_t block;        // elements in a block (1 for plain types)
  std::int64_t block_bytes;  // bytes of a block
};

const DtypeInfo& dtype_info(Dtype dtype);

}  // namespace qzo::core
