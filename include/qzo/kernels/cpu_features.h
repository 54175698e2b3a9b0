#pragma once
// Which variant of the vector kernels runs: chosen once from the CPU's features, overridable (tests, --isa).

#include <string>

namespace qzo::kernels {

enum class Isa { kPortable, kAvx2, kAvx512 };

Isa best_isa();            // what this CPU (and this build) can run
Isa active_isa();          // best_isa() unless set_active_isa was called
void set_active_isa(Isa);  // must be supported; not from inside a kernel
bool isa_supported(Isa);
std::string isa_name(Isa);
bool cpu_has_bf16();  // AVX512_BF16: dense bf16 products are fast

}  // namespace qzo::kernels
