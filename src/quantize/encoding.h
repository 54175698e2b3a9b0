#pragma once
// What targets with grids share.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/half.h"
#include "qzo/core/text.h"
#include "qzo/quantize/grouped_codes.h"
#include "qzo/quantize/target.h"

namespace qzo::quantize {

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline void check_range(const GroupedCodes& codes, const std::string& stem) {
  const bool fits = std::ranges::all_of(
      codes.grids, [](const Grid& grid) { return std::isfinite(grid.scale) && std::isfinite(grid.minimum); });
  if (fits) return;
  throw core::UserError(core::text(stem,
                                   " has weights too large for scales in half precision (65504), expected a model ",
                                   "that can be computed in fp16: this one cannot be stored in this format"));
}

// To nearest, or calibrated where there is a hessian.
inline GroupedCodes choose_codes(const at::Tensor& weight, const at::Tensor& hessian, const SolverOptions& options) {
  return hessian.defined() ? solve_gptq(weight, hessian, options)
                           : round_to_nearest(weight, options.rule, options.group);
}

}  // namespace qzo::quantize
