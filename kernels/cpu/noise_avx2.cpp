#include "cpu/noise_body.h"

namespace qzo::kernels {

const NoiseVariant& noise_avx2() { return kNoiseVariant; }

}  // namespace qzo::kernels
