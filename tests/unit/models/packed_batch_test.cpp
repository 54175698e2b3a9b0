#include "qzo/models/packed_batch.h"

#include <array>

#include <gtest/gtest.h>

#include "qzo/core/error.h"

namespace qzo::models {
namespace {

TEST(PackedBatch, PositionsContinueTheParent) {
  PackedBatch batch;
  const std::array<std::int32_t, 3> prompt = {5, 6, 7};
  const std::array<std::int32_t, 2> answer = {8, 9};
  EXPECT_EQ(batch.add(prompt), 0);
  EXPECT_EQ(batch.add(answer, 0), 1);
  EXPECT_EQ(batch.add(answer, 0), 2);
  EXPECT_EQ(batch.add(answer, 1), 3);
  EXPECT_EQ(batch.add(prompt), 4);
  EXPECT_EQ(batch.tokens, (std::vector<std::int32_t>{5, 6, 7, 8, 9, 8, 9, 8, 9, 5, 6, 7}));
  EXPECT_EQ(batch.positions, (std::vector<std::int32_t>{0, 1, 2, 3, 4, 3, 4, 5, 6, 0, 1, 2}));
  EXPECT_EQ(batch.segments[3].begin, 7);
  EXPECT_EQ(batch.segments[3].parent, 1);
}

TEST(PackedBatch, EmptySegmentsAndLaterParentsAreOurBugs) {
  PackedBatch batch;
  const std::array<std::int32_t, 1> one = {1};
  EXPECT_THROW(batch.add({}), core::InternalError);
  EXPECT_THROW(batch.add(one, 0), core::InternalError);
  EXPECT_THROW(batch.add(one, -2), core::InternalError);
}

}  // namespace
}  // namespace qzo::models
