#include "qzo/kernels/cpu_features.h"

#include <atomic>

#include <cpuid.h>

#include "qzo/core/check.h"

namespace qzo::kernels {
namespace {

// clang 14's __builtin_cpu_supports does not know this one.
bool cpu_has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

// __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the wide registers.
bool cpu_has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && cpu_has_f16c(); }

bool cpu_has_avx512() {
  return cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool cpu_has_avx512_vnni() { return cpu_has_avx512() && __builtin_cpu_supports("avx512vnni"); }

std::atomic<Isa>& active() {
  static std::atomic<Isa> isa{best_isa()};
  return isa;
}

}  // namespace

bool isa_supported(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return true;
    case Isa::kAvx2:
      return cpu_has_avx2();
    case Isa::kAvx512:
      return cpu_has_avx512();
    case Isa::kAvx512Vnni:
      return cpu_has_avx512_vnni();
    case Isa::kAvx512Bf16:
      return cpu_has_avx512_vnni() && __builtin_cpu_supports("avx512bf16");
  }
  return false;
}

Isa best_isa() {
  Isa best = Isa::kPortable;
  for (const Isa isa : kAllIsas)
    if (isa_supported(isa)) best = isa;
  return best;
}

Isa active_isa() { return active().load(std::memory_order_relaxed); }

void set_active_isa(Isa isa) {
  QZO_CHECK(isa_supported(isa), "this CPU cannot run ", isa_name(isa));
  active().store(isa, std::memory_order_relaxed);
}

std::string isa_name(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return "portable";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Vnni:
      return "avx512+vnni";
    case Isa::kAvx512Bf16:
      return "avx512+bf16";
  }
  return "unknown";
}

}  // namespace qzo::kernels
