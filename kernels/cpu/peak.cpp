#include "cpu/peak.h"

#include "qzo/kernels/cpu_features.h"
#include "qzo/kernels/peak.h"

namespace qzo::kernels {

double run_peak(PeakKind kind, std::int64_t rounds) {
  const Isa isa = active_isa();
  if (isa == Isa::kPortable) return 0;
  switch (kind) {
    case PeakKind::kFp32:
      return isa >= Isa::kAvx512 ? peak_fp32_avx512(rounds) : peak_fp32_avx2(rounds);
    case PeakKind::kInt8:
      return isa >= Isa::kAvx512Vnni ? peak_int8_avx512(rounds) : peak_int8_avx2(rounds);
    case PeakKind::kBf16:
      return isa >= Isa::kAvx512Bf16 ? peak_bf16_avx512(rounds) : 0;
  }
  return 0;
}

}  // namespace qzo::kernels
