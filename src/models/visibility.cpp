#include "qzo/models/visibility.h"

#include <algorithm>

#include "qzo/core/check.h"

namespace qzo::models {
namespace {

using Ranges = std::vector<kernels::RowRange>;

void append(Ranges& ranges, kernels::RowRange range) {
  if (!ranges.empty() && ranges.back().end == range.begin) {
    ranges.back().end = range.end;
  } else {
    ranges.push_back(range);
  }
}

// Rows stand in the order of their positions, which count from 0 without a gap.
void keep_last(Ranges& ranges, std::int64_t rows) {
  auto range = ranges.end();
  while (range != ranges.begin() && rows > 0) {
    --range;
    range->begin = std::max(range->begin, range->end - rows);
    rows -= range->end - range->begin;
  }
  ranges.erase(ranges.begin(), range);
}

}  // namespace

std::vector<Ranges> visible_ranges(const PackedBatch& batch, std::int64_t window) {
  std::vector<Ranges> whole(batch.segments.size());  // what a continuation of the segment sees
  std::vector<Ranges> visible(static_cast<std::size_t>(batch.rows()));
  for (std::size_t i = 0; i < batch.segments.size(); ++i) {
    const Segment& segment = batch.segments[i];
    QZO_CHECK(segment.parent < static_cast<std::int64_t>(i) && segment.begin + segment.length <= batch.rows(),
              "segment ", i, " of parent ", segment.parent);
    const Ranges ancestors = segment.parent < 0 ? Ranges{} : whole[static_cast<std::size_t>(segment.parent)];
    for (std::int64_t row = segment.begin; row < segment.begin + segment.length; ++row) {
      Ranges& ranges = visible[static_cast<std::size_t>(row)];
      ranges = ancestors;
      append(ranges, {segment.begin, row + 1});
    }
    whole[i] = visible[static_cast<std::size_t>(segment.begin + segment.length - 1)];
  }
  if (window > 0) {
    for (Ranges& ranges : visible) keep_last(ranges, window);
  }
  return visible;
}

}  // namespace qzo::models
