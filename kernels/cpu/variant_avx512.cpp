#include "cpu/lanes_avx512.h"
#include "cpu/variant_body.h"

namespace qzo::kernels {

const Variant& avx512_variant() { return kVariant<Avx512Lanes>; }

}  // namespace qzo::kernels
