#pragma once
// Which variant of the vector kernels runs: chosen once from the CPU's features, overridable (tests, --isa).

#include <string>

namespace qzo::kernels {

// kAvx512 is F, BW, VL, DQ; kAvx512Vnni adds 8-bit dot products, kAvx512Bf16 those and bf16 ones.
enum class Isa { kPortable, kAvx2, kAvx512, kAvx512Vnni, kAvx512Bf16 };
inline constexpr Isa kAllIsas[] = {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Bf16};

Isa best_isa();            // what this CPU (and this build) can run
Isa active_isa();          // best_isa() unless set_active_isa was called
void set_active_isa(Isa);  // must be supported; not from inside a kernel
bool isa_supported(Isa);
std::string isa_name(Isa);

}  // namespace qzo::kernels
