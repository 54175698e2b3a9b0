#pragma once
// What the int8 kernels share. The panel is the words of late_unpack.h as they are: codes are the unsigned operand of
// the dot product, activations the signed, broadcast one, so no compensation term is needed.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/late_rows_body.h"
#include "cpu/late_unpack.h"
#include "cpu/late_variant.h"

namespace qzo::kernels {
namespace {

template <class T>
inline T read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace
}  // namespace qzo::kernels
