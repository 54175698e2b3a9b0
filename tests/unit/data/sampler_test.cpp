#include "qzo/data/sampler.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "unit/io/test_files.h"

namespace qzo::data {
namespace {

using Indices = std::vector<std::int64_t>;

// numpy.random.seed(seed); numpy.random.permutation(n), numpy 2.4.6. `weighted`: sum of (i + 1) * permutation[i].
struct Golden {
  std::uint32_t seed;
  std::int64_t n;
  Indices first;
  std::int64_t weighted;
};

class LegacyPermutation : public testing::TestWithParam<Golden> {};

TEST_P(LegacyPermutation, is_numpys) {
  const auto& [seed, n, first, weighted] = GetParam();
  const Indices order = legacy_permutation(seed, n);
  ASSERT_EQ(static_cast<std::int64_t>(order.size()), n);
  EXPECT_EQ(Indices(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(first.size())), first);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < order.size(); ++i) sum += static_cast<std::int64_t>(i + 1) * order[i];
  EXPECT_EQ(sum, weighted);
}

INSTANTIATE_TEST_SUITE_P(
    Numpy, LegacyPermutation,
    testing::Values(
        Golden{0, 10, {2, 8, 4, 9, 1, 6, 7, 3, 0, 5}, 230}, Golden{1, 10, {2, 9, 6, 4, 0, 3, 1, 7, 8, 5}, 257},
        Golden{42, 10, {8, 1, 5, 0, 7, 2, 9, 4, 3, 6}, 254},
        Golden{0, 1000, {993, 859, 298, 553, 672, 971, 27, 231, 306, 706, 496, 558}, 248372140},
        Golden{1, 1000, {507, 818, 452, 368, 242, 929, 262, 810, 318, 49, 446, 142}, 250494799},
        Golden{42, 1000, {521, 737, 740, 660, 411, 678, 626, 513, 859, 136, 811, 76}, 251874299},
        // The size of SST-2's training split.
        Golden{0, 67349, {43787, 16159, 59015, 5108, 67052, 35938, 49879, 51591, 56780, 28518}, 76247739158024},
        Golden{1, 67349, {54735, 42630, 4203, 53072, 66969, 9583, 52235, 57848, 46527, 14786}, 76564453834329},
        Golden{42, 67349, {66730, 29890, 45801, 29352, 19858, 15364, 30026, 38039, 14261, 11661}, 76232262756024}));

TEST(LegacyPermutation, of_nothing_and_of_one) {
  EXPECT_TRUE(legacy_permutation(0, 0).empty());
  EXPECT_EQ(legacy_permutation(0, 1), Indices{0});
}

TEST(ChooseTrainDev, dev_is_the_tail_of_what_is_drawn) {
  const Split split = choose_train_dev(0, 10, 4, 3, "t.csv");
  EXPECT_EQ(split.train, (Indices{2, 8, 4, 9}));
  EXPECT_EQ(split.dev, (Indices{1, 6, 7}));
  const Split all = choose_train_dev(0, 10, 10, 0, "t.csv");
  EXPECT_EQ(all.train.size(), 10u);
  EXPECT_TRUE(all.dev.empty());
}

TEST(ChooseTrainDev, too_few_rows) {
  io::testing::expect_user_error([] { return choose_train_dev(0, 10, 8, 3, "t.csv").train; },
                                 {"t.csv", "10 rows", "8", "3", "data.num_train"});
}

// Computed by a second program (Philox and Fisher-Yates in Python): a change would break every resumed run.
TEST(BatchOrder, golden) {
  EXPECT_EQ(BatchOrder(10, 10, 0).batch(0), (Indices{6, 2, 7, 8, 1, 4, 5, 3, 9, 0}));
  EXPECT_EQ(BatchOrder(10, 10, 0).batch(1), (Indices{0, 5, 2, 6, 7, 4, 1, 8, 3, 9}));
  EXPECT_EQ(BatchOrder(10, 10, (std::uint64_t{1} << 40) + 7).batch(3), (Indices{4, 2, 7, 6, 9, 5, 0, 8, 3, 1}));
}

TEST(BatchOrder, every_epoch_holds_every_example_once) {
  for (const std::int64_t batch_size : {1, 3, 7, 16, 40}) {
    const std::int64_t examples = 23;
    const BatchOrder order(examples, batch_size, 5);
    Indices all;
    for (std::uint64_t step = 0; static_cast<std::int64_t>(all.size()) < 6 * examples; ++step) {
      const Indices batch = order.batch(step);
      ASSERT_EQ(static_cast<std::int64_t>(batch.size()), batch_size);
      all.insert(all.end(), batch.begin(), batch.end());
    }
    std::set<Indices> epochs;
    for (std::int64_t epoch = 0; epoch < 6; ++epoch) {
      Indices part(all.begin() + epoch * examples, all.begin() + (epoch + 1) * examples);
      epochs.insert(part);
      std::sort(part.begin(), part.end());
      Indices expected(static_cast<std::size_t>(examples));
      std::iota(expected.begin(), expected.end(), 0);
      EXPECT_EQ(part, expected) << "epoch " << epoch << " of batches of " << batch_size;
    }
    EXPECT_EQ(epochs.size(), 6u) << "each epoch has an order of its own";
  }
}

TEST(BatchOrder, a_batch_depends_on_its_step_alone) {
  const BatchOrder forward(23, 4, 9);
  std::vector<Indices> batches;
  for (std::uint64_t step = 0; step < 40; ++step) batches.push_back(forward.batch(step));
  const BatchOrder backward(23, 4, 9);
  for (std::uint64_t step = 40; step-- > 0;) {
    EXPECT_EQ(backward.batch(step), batches[step]);
    EXPECT_EQ(BatchOrder(23, 4, 9).batch(step), batches[step]) << "resumed at " << step;
  }
}

TEST(BatchOrder, seeds_differ_in_every_bit) {
  const std::uint64_t seed = 3;
  const Indices order = BatchOrder(50, 50, seed).batch(0);
  for (int bit = 0; bit < 64; ++bit) {
    EXPECT_NE(BatchOrder(50, 50, seed ^ (std::uint64_t{1} << bit)).batch(0), order) << "bit " << bit;
  }
}

// Chi-squared over the 24 orders of 4 examples: 23 degrees of freedom, 99.9 % quantile 49.7.
TEST(BatchOrder, all_orders_are_equally_likely) {
  const BatchOrder order(4, 4, 1);
  std::map<Indices, int> counts;
  const int epochs = 24 * 200;
  for (int epoch = 0; epoch < epochs; ++epoch) ++counts[order.batch(static_cast<std::uint64_t>(epoch))];
  double chi_squared = 0;
  for (const auto& [permutation, count] : counts) chi_squared += (count - 200.0) * (count - 200.0) / 200.0;
  EXPECT_EQ(counts.size(), 24u);
  EXPECT_LT(chi_squared, 49.7);
}

TEST(BatchOrder, the_longest_batch_changes_places_with_the_first) {
  const BatchOrder plain(20, 4, 2);
  Indices lengths(20, 10);
  for (const std::int64_t index : plain.batch(3)) lengths[static_cast<std::size_t>(index)] = 11;
  const BatchOrder order(20, 4, 2, lengths);
  EXPECT_EQ(order.batch(0), plain.batch(3));
  EXPECT_EQ(order.batch(3), plain.batch(0));
  for (const std::uint64_t step : {1u, 2u, 4u, 5u, 6u, 7u, 8u, 9u}) EXPECT_EQ(order.batch(step), plain.batch(step));
}

TEST(BatchOrder, only_whole_batches_of_the_first_epoch_are_moved) {
  const BatchOrder plain(7, 3, 2);
  Indices lengths(7, 1);
  // In batch 2 alone, which reaches into the next epoch.
  const std::int64_t last_of_epoch = plain.batch(2)[0];
  lengths[static_cast<std::size_t>(last_of_epoch)] = 1000;
  EXPECT_EQ(BatchOrder(7, 3, 2, lengths).batch(0), plain.batch(0));
  EXPECT_EQ(BatchOrder(2, 3, 2, {5, 6}).batch(0), BatchOrder(2, 3, 2).batch(0));
}

TEST(BatchOrder, wrong_arguments_are_ours) {
  EXPECT_THROW(BatchOrder(0, 1, 0), core::InternalError);
  EXPECT_THROW(BatchOrder(1, 0, 0), core::InternalError);
  EXPECT_THROW(BatchOrder(3, 1, 0, {1, 2}), core::InternalError);
}

}  // namespace
}  // namespace qzo::data
