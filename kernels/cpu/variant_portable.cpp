#include "cpu/lanes_portable.h"
#include "cpu/variant_body.h"

namespace qzo::kernels {

const Variant& portable_variant() { return kVariant<PortableLanes>; }

}  // namespace qzo::kernels
