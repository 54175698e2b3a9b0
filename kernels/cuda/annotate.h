#pragma once
// Lets the body of a CUDA kernel be compiled for the host, where a test runs it thread by thread.

#ifdef __CUDACC__
#define QZO_DEVICE __host__ __device__
#else
#define QZO_DEVICE
#endif
