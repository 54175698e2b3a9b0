#pragma once
// One of three tables of functions, by the active instruction set.

#include "qzo/kernels/cpu_features.h"

namespace qzo::kernels {

template <class Table>
const Table& select(const Table& (*portable)(), const Table& (*avx2)(), const Table& (*avx512)()) {
  const Isa isa = active_isa();
  return isa >= Isa::kAvx512 ? avx512() : isa == Isa::kAvx2 ? avx2() : portable();
}

}  // namespace qzo::kernels
