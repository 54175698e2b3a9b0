#pragma once
// Mean of x^T x over the inputs of a linear layer: half the Hessian of its squared output error.

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace qzo::quantize {

class Hessian {
 public:
  explicit Hessian(std::int64_t inputs);
  // x [rows, K] fp32, contiguous; each row counts `weight` > 0 times. Summed in fp32. Same bits for any number of
  // threads.
  void add(const at::Tensor& x, double weight = 1);
  // [K, K] fp32, symmetric; takes the memory of the sums. InternalError before the first row.
  [[nodiscard]] at::Tensor mean() &&;

 private:
  at::Tensor sum_;  // [K, K], right of the diagonal panels' beginnings only
  double rows_ = 0;
};

}  // namespace qzo::quantize
