#include "qzo/models/visibility.h"

#include <array>

#include <gtest/gtest.h>

namespace qzo::models {
namespace {

std::vector<std::pair<std::int64_t, std::int64_t>> pairs(const std::vector<kernels::RowRange>& ranges) {
  std::vector<std::pair<std::int64_t, std::int64_t>> result;
  for (const kernels::RowRange& range : ranges) result.emplace_back(range.begin, range.end);
  return result;
}
using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(Visibility, RowsSeeAncestorsAndTheirOwnPast) {
  PackedBatch batch;
  const std::array<std::int32_t, 3> three = {1, 2, 3};
  const std::array<std::int32_t, 2> two = {4, 5};
  batch.add(three);   // rows 0..2
  batch.add(two, 0);  // rows 3, 4: lies behind its parent
  batch.add(two, 0);  // rows 5, 6
  batch.add(two, 2);  // rows 7, 8
  batch.add(three);   // rows 9..11
  const auto visible = visible_ranges(batch);
  ASSERT_EQ(visible.size(), 12u);
  EXPECT_EQ(pairs(visible[0]), (Pairs{{0, 1}}));
  EXPECT_EQ(pairs(visible[2]), (Pairs{{0, 3}}));
  EXPECT_EQ(pairs(visible[4]), (Pairs{{0, 5}}));
  EXPECT_EQ(pairs(visible[5]), (Pairs{{0, 3}, {5, 6}}));
  EXPECT_EQ(pairs(visible[8]), (Pairs{{0, 3}, {5, 9}}));
  EXPECT_EQ(pairs(visible[10]), (Pairs{{9, 11}}));
}

}  // namespace
}  // namespace qzo::models
