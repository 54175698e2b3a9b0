#pragma once
// Names of element types as safetensors headers spell them.

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "qzo/core/dtype.h"

namespace qzo::io {

inline constexpr std::array<std::pair<std::string_view, core::Dtype>, 15> kSafetensorsDtypes = {{
    {"BOOL", core::Dtype::kBool},
    {"U8", core::Dtype::kU8},
    {"I8", core::Dtype::kI8},
    {"F8_E4M3", core::Dtype::kF8E4M3},
    {"F8_E5M2", core::Dtype::kF8E5M2},
    {"I16", core::Dtype::kI16},
    {"U16", core::Dtype::kU16},
    {"F16", core::Dtype::kF16},
    {"BF16", core::Dtype::kBF16},
    {"I32", core::Dtype::kI32},
    {"U32", core::Dtype::kU32},
    {"F32", core::Dtype::kF32},
    {"I64", core::Dtype::kI64},
    {"U64", core::Dtype::kU64},
    {"F64", core::Dtype::kF64},
}};

inline std::optional<core::Dtype> safetensors_dtype(std::string_view name) {
  for (const auto& [known, dtype] : kSafetensorsDtypes) {
    if (known == name) return dtype;
  }
  return std::nullopt;
}

// nullopt for the block types of GGUF.
inline std::optional<std::string_view> safetensors_name(core::Dtype dtype) {
  for (const auto& [name, known] : kSafetensorsDtypes) {
    if (known == dtype) return name;
  }
  return std::nullopt;
}

}  // namespace qzo::io
