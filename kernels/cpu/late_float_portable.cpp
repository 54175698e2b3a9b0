#include "cpu/lanes_portable.h"
#include "cpu/late_float_body.h"

namespace qzo::kernels {

const LateKernel& late_float_portable(LateInputs inputs) { return late_float_of<PortableLanes>(inputs); }

}  // namespace qzo::kernels
