#include "cpu/variant.h"

#include "qzo/kernels/cpu_features.h"

namespace qzo::kernels {

const Variant& active_variant() {
  switch (active_isa()) {
    case Isa::kAvx512:
      return avx512_variant();
    case Isa::kAvx2:
      return avx2_variant();
    case Isa::kPortable:
      break;
  }
  return portable_variant();
}

}  // namespace qzo::kernels
