#include "qzo/models/packed_batch.h"

#include "qzo/core/check.h"

namespace qzo::models {

std::int64_t PackedBatch::add(std::span<const std::int32_t> ids, std::int64_t parent) {
  const auto index = static_cast<std::int64_t>(segments.size());
  QZO_CHECK(!ids.empty(), "segment ", index, " has no tokens");
  QZO_CHECK(parent >= -1 && parent < index, "segment ", index, " continues ", parent);
  std::int32_t position = 0;
  if (parent >= 0) {
    const Segment& before = segments[static_cast<std::size_t>(parent)];
    position = positions[static_cast<std::size_t>(before.begin + before.length - 1)] + 1;
  }
  segments.push_back({.begin = rows(), .length = static_cast<std::int64_t>(ids.size()), .parent = parent});
  for (const std::int32_t id : ids) {
    tokens.push_back(id);
    positions.push_back(position++);
  }
  return index;
}

}  // namespace qzo::models
