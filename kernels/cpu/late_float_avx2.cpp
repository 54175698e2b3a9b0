#include "cpu/lanes_avx2.h"
#include "cpu/late_float_body.h"

namespace qzo::kernels {

const LateKernel& late_float_avx2(LateInputs inputs) { return late_float_of<Avx2Lanes>(inputs); }

}  // namespace qzo::kernels
