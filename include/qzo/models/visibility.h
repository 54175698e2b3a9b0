#pragma once
// Which rows of a packed batch each row attends to.

#include <vector>

#include "qzo/kernels/transformer.h"
#include "qzo/models/packed_batch.h"

namespace qzo::models {

// [T]: all rows of the ancestors, then the row's own segment up to itself. Neighbouring ranges are joined. window > 0:
// of these the last `window` only, itself included (sliding window over positions in the sequence).
std::vector<std::vector<kernels::RowRange>> visible_ranges(const PackedBatch& batch, std::int64_t window = 0);

}  // namespace qzo::models
