#include "qzo/models/prefix_tree.h"

#include <gtest/gtest.h>

#include "qzo/core/error.h"

namespace qzo::models {
namespace {

using Ids = std::vector<std::int32_t>;
using Rows = std::vector<std::int64_t>;

// begin, length, parent
std::vector<Rows> segments(const PackedBatch& batch) {
  std::vector<Rows> out;
  for (const Segment& segment : batch.segments) out.push_back({segment.begin, segment.length, segment.parent});
  return out;
}

TEST(PrefixTree, sequences_that_share_nothing_are_laid_end_to_end) {
  PrefixTree tree;
  EXPECT_EQ(tree.add(Ids{5, 6, 7}, PrefixTree::kRoot), (Rows{0, 1, 2}));
  EXPECT_EQ(tree.add(Ids{8, 6}, PrefixTree::kRoot), (Rows{3, 4}));
  const PackedBatch batch = tree.pack();
  EXPECT_EQ(batch.tokens, (Ids{5, 6, 7, 8, 6}));
  EXPECT_EQ(batch.positions, (Ids{0, 1, 2, 0, 1}));
  EXPECT_EQ(segments(batch), (std::vector<Rows>{{0, 3, -1}, {3, 2, -1}}));
}

TEST(PrefixTree, a_segment_ends_where_sequences_part) {
  PrefixTree tree;
  EXPECT_EQ(tree.add(Ids{1, 2, 3, 4}, PrefixTree::kRoot), (Rows{0, 1, 2, 3}));
  EXPECT_EQ(tree.add(Ids{1, 2, 5}, PrefixTree::kRoot), (Rows{0, 1, 4}));
  EXPECT_EQ(tree.add(Ids{1, 2, 3, 6}, PrefixTree::kRoot), (Rows{0, 1, 2, 5}));
  const PackedBatch batch = tree.pack();
  EXPECT_EQ(batch.tokens, (Ids{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(batch.positions, (Ids{0, 1, 2, 3, 2, 3}));
  EXPECT_EQ(segments(batch), (std::vector<Rows>{{0, 2, -1}, {2, 1, 0}, {3, 1, 1}, {4, 1, 0}, {5, 1, 1}}));
}

TEST(PrefixTree, a_sequence_that_is_the_beginning_of_another_adds_nothing) {
  PrefixTree tree;
  tree.add(Ids{1, 2, 3}, PrefixTree::kRoot);
  EXPECT_EQ(tree.add(Ids{1, 2}, PrefixTree::kRoot), (Rows{0, 1}));
  EXPECT_EQ(tree.add(Ids{1, 2, 3}, PrefixTree::kRoot), (Rows{0, 1, 2}));
  EXPECT_EQ(segments(tree.pack()), (std::vector<Rows>{{0, 3, -1}}));
}

TEST(PrefixTree, a_sequence_goes_on_where_an_earlier_one_ended) {
  PrefixTree tree;
  tree.add(Ids{1, 2}, PrefixTree::kRoot);
  tree.add(Ids{9}, PrefixTree::kRoot);
  EXPECT_EQ(tree.add(Ids{1, 2, 3}, PrefixTree::kRoot), (Rows{0, 1, 3}));
  EXPECT_EQ(tree.pack().positions, (Ids{0, 1, 0, 2}));
  EXPECT_EQ(segments(tree.pack()), (std::vector<Rows>{{0, 2, -1}, {2, 1, -1}, {3, 1, 0}}));
}

TEST(PrefixTree, roots_share_nothing) {
  PrefixTree tree;
  tree.add(Ids{1, 2}, PrefixTree::kRoot);
  const std::int64_t other = tree.new_root();
  EXPECT_EQ(tree.add(Ids{1, 2}, other), (Rows{2, 3}));
  EXPECT_EQ(tree.add(Ids{1, 2}, tree.new_root()), (Rows{4, 5}));
  EXPECT_EQ(tree.add(Ids{1}, other), (Rows{2}));
  EXPECT_EQ(segments(tree.pack()), (std::vector<Rows>{{0, 2, -1}, {2, 2, -1}, {4, 2, -1}}));
}

TEST(PrefixTree, unknown_roots_are_our_bugs) {
  PrefixTree tree;
  EXPECT_THROW(tree.add(Ids{1}, -2), core::InternalError);
  EXPECT_THROW(tree.add(Ids{1}, 0), core::InternalError);
}

}  // namespace
}  // namespace qzo::models
