#include "cpu/noise_body.h"

namespace qzo::kernels {

const NoiseVariant& noise_portable() { return kNoiseVariant; }

}  // namespace qzo::kernels
