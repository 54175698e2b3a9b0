#include "qzo/models/visibility.h"

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

}  // namespace

std::vector<Ranges> visible_ranges(const PackedBatch& batch) {
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
  return visible;
}

}  // namespace qzo::models
