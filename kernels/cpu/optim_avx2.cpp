#include "cpu/lanes_avx2.h"
#include "cpu/optim_variant_body.h"

namespace qzo::kernels {

const OptimVariant& optim_avx2() { return kOptimVariant<Avx2Lanes>; }

}  // namespace qzo::kernels
