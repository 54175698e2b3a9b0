#pragma once
// From the interface of optim_step.h to what the kernels take: shared by the launcher and the emulation.

#include "qzo/kernels/optim_step_cuda.h"

#include "cuda/optim_adamw_body.h"

namespace qzo::kernels::cuda {

// `raised`: rank-1 only. InternalError if the tensor is not supported.
AdamwArgs adamw_args(const AdamwTensor& tensor, const AdamwRule& rule, float* raised);

}  // namespace qzo::kernels::cuda
