#include "cpu/lanes_avx512.h"
#include "cpu/optim_variant_body.h"

namespace qzo::kernels {

const OptimVariant& optim_avx512() { return kOptimVariant<Avx512Lanes>; }

}  // namespace qzo::kernels
