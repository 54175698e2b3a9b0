#include "qzo/models/prefix_tree.h"

#include "qzo/core/check.h"

namespace qzo::models {

std::vector<std::int64_t> PrefixTree::add(std::span<const std::int32_t> ids, std::int64_t root) {
  QZO_CHECK(root < 0 && root >= last_root_, "root ", root, ", the last one is ", last_root_);
  std::vector<std::int64_t> path;
  path.reserve(ids.size());
  std::int64_t at = root;
  for (const std::int32_t id : ids) {
    const auto [child, is_new] = children_.emplace(Child{at, id}, rows());
    if (is_new) {
      tokens_.push_back(id);
      parents_.push_back(at);
    }
    at = child->second;
    path.push_back(at);
  }
  return path;
}

PackedBatch PrefixTree::pack() const {
  std::vector<int> branches(tokens_.size(), 0);
  for (const std::int64_t parent : parents_) {
    if (parent >= 0) ++branches[static_cast<std::size_t>(parent)];
  }
  // A continuation sees all of its parent segment, so whatever is continued from elsewhere ends its segment.
  const auto continues = [&](std::size_t row) {
    return row > 0 && parents_[row] == static_cast<std::int64_t>(row) - 1 && branches[row - 1] == 1;
  };
  PackedBatch batch;
  std::vector<std::int64_t> segment_of(tokens_.size());
  for (std::size_t begin = 0, end = 0; begin < tokens_.size(); begin = end) {
    for (end = begin + 1; end < tokens_.size() && continues(end);) ++end;
    const std::int64_t parent = parents_[begin];
    const std::int64_t segment = batch.add(std::span(tokens_).subspan(begin, end - begin),
                                           parent < 0 ? -1 : segment_of[static_cast<std::size_t>(parent)]);
    for (std::size_t row = begin; row < end; ++row) segment_of[row] = segment;
  }
  return batch;
}

}  // namespace qzo::models
