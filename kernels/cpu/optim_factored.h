#pragma once
// Second moments as running means over rows and over columns.

#include <span>
#include <vector>

#include "qzo/kernels/optim_step.h"

#include "cpu/optim_chunk.h"

namespace qzo::kernels {

struct FactoredMoment {
  const ParameterView* parameter = nullptr;
  FactoredView view;
  float offset = 0;  // added to every square
  double keep = 0;   // running mean = keep * before + (1 - keep) * mean of this step
};

// One pass over the gradients of all tensors; sums in double, in an order that does not depend on threads.
void update_factored(std::span<const FactoredMoment> moments);

// Mean over the rows of each matrix: [batch].
std::vector<float> row_means(const FactoredView& view);

// What an element is multiplied from: row[its row] * column[its column].
struct OuterFactors {
  std::vector<float> row;     // [batch, rows]
  std::vector<float> column;  // [batch, columns]
};

// out[i] = product for element first + i, padded with zeros to a multiple of sixteen.
void outer_product(const FactoredView& view, const OuterFactors& factors, std::int64_t first, std::int64_t count,
                   float* out);

}  // namespace qzo::kernels
