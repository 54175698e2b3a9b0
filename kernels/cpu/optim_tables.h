#pragma once
// A code table with what encoding needs.

#include <array>
#include <cstdint>

#include "qzo/kernels/optim_state.h"

namespace qzo::kernels {

struct CodeBook {
  StateTable table = StateTable::kDeSigned;
  int bits = 4;
  alignas(64) std::array<float, 256> values{};     // ascending, 2^bits of them
  alignas(64) std::array<float, 256> midpoints{};  // 2^bits - 1 of them, then +infinity
  // 8 bits: code of the smallest number whose upper sixteen bits, mapped so that they ascend, are the index. No such
  // cell holds more than one midpoint, so the code of any number in it is this one or the next.
  std::array<std::uint8_t, 65536> first_code{};
};

const CodeBook& code_book(StateTable table, int bits);

// Upper half of the bits of a float as an integer that ascends with it.
inline std::uint32_t ascending_key(std::uint32_t bits) {
  const std::uint32_t flip = (0U - (bits >> 31)) | 0x80000000U;
  return (bits ^ flip) >> 16;
}

}  // namespace qzo::kernels
