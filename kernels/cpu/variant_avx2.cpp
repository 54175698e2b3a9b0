#include "cpu/lanes_avx2.h"
#include "cpu/variant_body.h"

namespace qzo::kernels {

const Variant& avx2_variant() { return kVariant<Avx2Lanes>; }

}  // namespace qzo::kernels
