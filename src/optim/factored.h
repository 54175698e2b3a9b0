#pragma once
// Row and column means of a tensor of two axes or more; leading axes are a batch.

#include <span>

#include "qzo/kernels/optim_step.h"

namespace qzo::optim {

inline kernels::FactoredView factored_view(std::span<const std::int64_t> shape, float* row, float* column) {
  kernels::FactoredView view{1, shape[shape.size() - 2], shape[shape.size() - 1], row, column};
  for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) view.batch *= shape[axis];
  return view;
}

}  // namespace qzo::optim
