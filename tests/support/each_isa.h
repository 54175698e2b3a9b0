#pragma once
// Runs a body once for every instruction set that this CPU has, and leaves the best one active.

#include <gtest/gtest.h>

#include "qzo/kernels/cpu_features.h"

namespace qzo::test {

template <class Body>
void for_each_isa(Body body) {
  for (const auto isa : kernels::kAllIsas) {
    if (!kernels::isa_supported(isa)) continue;
    SCOPED_TRACE(kernels::isa_name(isa));
    kernels::set_active_isa(isa);
    body();
  }
  kernels::set_active_isa(kernels::best_isa());
}

}  // namespace qzo::test
