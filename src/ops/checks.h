#pragma once
// What every operation demands of its tensors.

#include <ATen/ATen.h>

#include "qzo/core/check.h"

namespace qzo::ops {

// fp32, on the CPU, contiguous.
inline void check_dense(const at::Tensor& tensor, const char* name) {
  QZO_CHECK(tensor.defined() && tensor.device().is_cpu(), name, " must be a CPU tensor");
  QZO_CHECK(tensor.scalar_type() == at::kFloat, name, " is ", tensor.scalar_type(), ", expected float");
  QZO_CHECK(tensor.is_contiguous(), name, " is not contiguous");
}

inline void check_matrix(const at::Tensor& tensor, const char* name, std::int64_t columns) {
  check_dense(tensor, name);
  QZO_CHECK(tensor.dim() == 2 && tensor.size(1) == columns, name, " is ", tensor.sizes(), ", expected [rows, ", columns,
            "]");
}

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace qzo::ops
