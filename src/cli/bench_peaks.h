#pragma once
// What the machine can do, read in the same process as what is compared with it.

#include "qzo/core/json_file.h"
#include "qzo/ops/precision.h"

namespace qzo::cli {

// GFLOP/s of all threads together (int8: GOP/s); 0 where the CPU has no instruction for it.
struct Peaks {
  int threads = 1;
  double fp32 = 0, bf16 = 0, int8 = 0;    // arithmetic alone, registers only
  double dense_fp32 = 0, dense_bf16 = 0;  // at::linear on ready weights, 2048 x 2048 x 1024 rows
  double brgemm_bf16 = 0;                 // LibTorch's block product from caches
  double copy_gbytes = 0;                 // GB/s, reads and writes counted

  // The arithmetic ceiling of a precision. bf16x2 takes two products for one; where bf16 has no instruction it runs on
  // fp32's.
  [[nodiscard]] double of(ops::Precision precision) const;
  [[nodiscard]] core::Json json() const;
  [[nodiscard]] std::string text() const;
};

Peaks measure_peaks(int threads);
// GB/s of reading and writing 256 MiB, by all threads.
double copy_bandwidth();

}  // namespace qzo::cli
