// Launches the bodies of optim_adamw_body.h. Compiled with -fmad=false: the CPU's bits.

#include <string>

#include <cuda_runtime.h>

#include "qzo/core/error.h"

#include "cuda/optim_adamw_args.h"

namespace qzo::kernels::cuda {
namespace {

// Magnitudes ascend as their bits do.
struct AtomicRaise {
  __host__ __device__ void operator()([[maybe_unused]] float* scale, [[maybe_unused]] float value) const {
#ifdef __CUDA_ARCH__
    atomicMax(reinterpret_cast<int*>(scale), __float_as_int(value));
#endif
  }
};

__global__ void __launch_bounds__(kThreads) raise_kernel(const __grid_constant__ AdamwArgs args) {
  raise_thread(args, blockIdx.x, static_cast<int>(threadIdx.x), AtomicRaise{});
}

__global__ void __launch_bounds__(kThreads) adamw_kernel(const __grid_constant__ AdamwArgs args) {
  __shared__ AdamwShared shared;
  AdamwThread own;
  const std::int64_t block = blockIdx.x;
  const int thread = static_cast<int>(threadIdx.x);
  update_thread(args, block, thread, own, shared);
  __syncthreads();
  for (int stride = kThreads / 2; stride > 0; stride /= 2) {
    reduce_thread(thread, stride, shared);
    __syncthreads();
  }
  encode_thread(args, block, thread, own, shared);
}

void check(cudaError_t result, const char* what) {
  if (result != cudaSuccess)
    throw core::EnvironmentError(std::string("CUDA, ") + what + ": " + cudaGetErrorString(result));
}

}  // namespace

void adamw_step(std::span<const AdamwTensor> tensors, const AdamwRule& rule, float* scratch, void* stream) {
  const auto queue = static_cast<cudaStream_t>(stream);
  for (const AdamwTensor& tensor : tensors) {
    const AdamwArgs args = adamw_args(tensor, rule, scratch);
    if (args.count == 0) continue;
    const auto blocks = static_cast<unsigned>((args.count + kElements - 1) / kElements);
    const std::size_t bytes = static_cast<std::size_t>(adamw_scratch({&tensor, 1})) * sizeof(float);
    if (bytes > 0) {
      check(cudaMemsetAsync(scratch, 0, bytes, queue), "clearing scales");
      raise_kernel<<<blocks, kThreads, 0, queue>>>(args);
      check(cudaGetLastError(), "raising scales");
    }
    adamw_kernel<<<blocks, kThreads, 0, queue>>>(args);
    check(cudaGetLastError(), "AdamW step");
    if (bytes > 0) {
      check(cudaMemcpyAsync(args.v_scales, scratch, bytes, cudaMemcpyDeviceToDevice, queue), "storing scales");
      scratch += bytes / sizeof(float);
    }
  }
}

}  // namespace qzo::kernels::cuda
