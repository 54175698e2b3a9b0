#pragma once
// Numbers that stand for types in a GGUF file.

#include <cstdint>
#include <optional>
#include <string>

#include "qzo/core/dtype.h"

namespace qzo::io {

enum class GgufValueType : std::uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// The element type of a tensor that this program reads; nullopt for all others.
std::optional<core::Dtype> ggml_dtype(std::uint32_t type);

// The number of an element type that can stand in a GGUF file; InternalError for others.
std::uint32_t ggml_type_number(core::Dtype dtype);

// "Q4_0", "IQ4_NL", or "number 77" if ggml knows no such type.
std::string ggml_type_name(std::uint32_t type);

}  // namespace qzo::io
