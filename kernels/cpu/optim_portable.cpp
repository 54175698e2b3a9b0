#include "cpu/lanes_portable.h"
#include "cpu/optim_variant_body.h"

namespace qzo::kernels {

const OptimVariant& optim_portable() { return kOptimVariant<PortableLanes>; }

}  // namespace qzo::kernels
