#include "cpu/variant.h"

#include "cpu/select.h"

namespace qzo::kernels {

const Variant& active_variant() { return select(portable_variant, avx2_variant, avx512_variant); }

}  // namespace qzo::kernels
