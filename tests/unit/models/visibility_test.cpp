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

// The window counts positions of the sequence, not rows: a branch reaches back into its prompt.
TEST(Visibility, AWindowKeepsTheLastPositions) {
  PackedBatch batch;
  batch.add(std::array<std::int32_t, 4>{1, 2, 3, 4});      // rows 0..3
  batch.add(std::array<std::int32_t, 2>{5, 6}, 0);         // rows 4, 5
  batch.add(std::array<std::int32_t, 4>{7, 8, 9, 10}, 0);  // rows 6..9
  batch.add(std::array<std::int32_t, 1>{11}, 2);           // row 10, joined to its parent
  const auto visible = visible_ranges(batch, 3);
  EXPECT_EQ(pairs(visible[1]), (Pairs{{0, 2}}));
  EXPECT_EQ(pairs(visible[3]), (Pairs{{1, 4}}));
  EXPECT_EQ(pairs(visible[4]), (Pairs{{2, 5}}));
  EXPECT_EQ(pairs(visible[6]), (Pairs{{2, 4}, {6, 7}}));
  EXPECT_EQ(pairs(visible[7]), (Pairs{{3, 4}, {6, 8}}));
  EXPECT_EQ(pairs(visible[8]), (Pairs{{6, 9}}));
  EXPECT_EQ(pairs(visible[10]), (Pairs{{8, 11}}));
  const auto all = visible_ranges(batch), wide = visible_ranges(batch, 9);
  for (std::size_t row = 0; row < all.size(); ++row) EXPECT_EQ(pairs(all[row]), pairs(wide[row]));
}

}  // namespace
}  // namespace qzo::models
