#pragma once
// AWQ, version "gemm", 4 bit (AutoAWQ gemm.py, packing_utils.py). The matrix is stored transposed, eight outputs to a
// word in an order that suits its kernels; no g_idx, and the stored zero points are the true ones.
//
//   STEM.qweight I32 [in, out/8]      word (k, c):  bits 31..28 | 27..24 | ... | 3..0
//   STEM.qzeros  I32 [groups, out/8]  outputs 8c +           7  |   5    | 3 | 1 | 6 | 4 | 2 | 0
//   STEM.scales  F16, BF16 or F32 [groups, out]
//   groups = in / group_size; group_size -1: one group
//
//   W[n, k] = scales[k / group_size, n] * (q[n, k] - zero[k / group_size, n])

#include <memory>

#include "qzo/quant/format.h"

namespace qzo::quant {

std::unique_ptr<Format> make_awq_format();

}  // namespace qzo::quant
