#include "io/gguf_types.h"

#include <array>
#include <string_view>

#include "qzo/core/check.h"
#include "qzo/core/text.h"

namespace qzo::io {
namespace {

struct GgmlType {
  std::uint32_t number;
  std::string_view name;
  std::optional<core::Dtype> dtype = std::nullopt;
};

// ggml.h, enum ggml_type. The numbers 4, 5, 31-33 and 36-38 belonged to layouts that ggml has removed.
constexpr std::array<GgmlType, 39> kGgmlTypes = {{
    {0, "F32", core::Dtype::kF32},
    {1, "F16", core::Dtype::kF16},
    {2, "Q4_0", core::Dtype::kQ4_0},
    {3, "Q4_1", core::Dtype::kQ4_1},
    {4, "Q4_2"},
    {5, "Q4_3"},
    {6, "Q5_0", core::Dtype::kQ5_0},
    {7, "Q5_1", core::Dtype::kQ5_1},
    {8, "Q8_0", core::Dtype::kQ8_0},
    {9, "Q8_1"},
    {10, "Q2_K"},
    {11, "Q3_K"},
    {12, "Q4_K", core::Dtype::kQ4_K},
    {13, "Q5_K", core::Dtype::kQ5_K},
    {14, "Q6_K", core::Dtype::kQ6_K},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {20, "IQ4_NL"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS"},
    {24, "I8"},
    {25, "I16"},
    {26, "I32"},
    {27, "I64"},
    {28, "F64"},
    {29, "IQ1_M"},
    {30, "BF16", core::Dtype::kBF16},
    {31, "Q4_0_4_4"},
    {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {36, "IQ4_NL_4_4"},
    {39, "MXFP4"},
    {40, "NVFP4"},
}};

const GgmlType* find_type(std::uint32_t number) {
  for (const GgmlType& type : kGgmlTypes) {
    if (type.number == number) return &type;
  }
  return nullptr;
}

}  // namespace

std::optional<core::Dtype> ggml_dtype(std::uint32_t type) {
  const GgmlType* known = find_type(type);
  return known == nullptr ? std::nullopt : known->dtype;
}

std::uint32_t ggml_type_number(core::Dtype dtype) {
  for (const GgmlType& type : kGgmlTypes) {
    if (type.dtype == dtype) return type.number;
  }
  QZO_CHECK(false, core::dtype_info(dtype).name, " is no type of GGUF");
}

std::string ggml_type_name(std::uint32_t type) {
  const GgmlType* known = find_type(type);
  return known == nullptr ? core::text("number ", type) : std::string(known->name);
}

}  // namespace qzo::io
