#pragma once
// adamw_step (qzo/kernels/optim_step.h) on a CUDA device: same structs, pointers into device memory, same bits. Built
// with -DQZO_CUDA=ON. Not verified on hardware: the bodies are compiled and run on the host only.

#include <cstdint>
#include <span>

#include "qzo/kernels/optim_step.h"

namespace qzo::kernels::cuda {

// fp32 weights and gradients; m in signed 4-bit blocks of 128; v linear 4-bit, in blocks of 128 or rank-1 of at most
// eight axes; both rounded to nearest.
bool supports_adamw(const AdamwTensor& tensor);

// fp32 numbers of device memory that adamw_step needs besides; 0 without rank-1 states.
std::int64_t adamw_scratch(std::span<const AdamwTensor> tensors);

// Asynchronous on `stream` (a cudaStream_t); one or two kernels a tensor; allocates nothing. `scratch` is free again
// when the stream is past them. InternalError if a tensor is not supported, EnvironmentError if a launch fails.
void adamw_step(std::span<const AdamwTensor> tensors, const AdamwRule& rule, float* scratch, void* stream);

}  // namespace qzo::kernels::cuda
