#include "cpu/lanes_avx512.h"
#include "cpu/late_float_body.h"

namespace qzo::kernels {

const LateKernel& late_float_avx512(LateInputs inputs) { return late_float_of<Avx512Lanes>(inputs); }

}  // namespace qzo::kernels
