#include "qzo/core/dtype.h"

#include <array>

#include "qzo/core/check.h"

namespace qzo::core {

const DtypeInfo& dtype_info(Dtype dtype) {
  // In the order of the enumeration.
  static constexpr std::array<DtypeInfo, 23> kTable = {{
      {"BOOL", 1, 1},   {"U8", 1, 1},     {"I8", 1, 1},       {"U16", 1, 2},      {"I16", 1, 2},      {"U32", 1, 4},
      {"I32", 1, 4},    {"U64", 1, 8},    {"I64", 1, 8},      {"F8_E4M3", 1, 1},  {"F8_E5M2", 1, 1},  {"F16", 1, 2},
      {"BF16", 1, 2},   {"F32", 1, 4},    {"F64", 1, 8},      {"Q4_0", 32, 18},   {"Q4_1", 32, 20},   {"Q5_0", 32, 22},
      {"Q5_1", 32, 24}, {"Q8_0", 32, 34}, {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210},
  }};
  const auto index = static_cast<std::size_t>(dtype);
  QZO_CHECK(index < kTable.size(), "dtype ", index);
  return kTable[index];
}

}  // namespace qzo::core
