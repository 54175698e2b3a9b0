#pragma once
// Which examples are used, and in which order. Everything is a pure function of seeds and the step, so a run resumes at
// any step without stored state.

#include <cstdint>
#include <string>
#include <vector>

namespace qzo::data {

// numpy.random.seed(seed); numpy.random.permutation(n), bit for bit (MT19937, legacy shuffle): the subset choice of
// MeZO.
std::vector<std::int64_t> legacy_permutation(std::uint32_t seed, std::int64_t n);

struct Split {
  std::vector<std::int64_t> train, dev;
};
// MeZO's rule: the first train + dev entries of the permutation, dev is the tail. UserError if n is too small
// (`what` names the file).
Split choose_train_dev(std::uint32_t seed, std::int64_t n, std::int64_t train, std::int64_t dev,
                       const std::string& what);

// Batches of an epoch-wise shuffled order (Fisher-Yates with Philox words keyed by seed and epoch), no replacement
// within an epoch; the last short batch of an epoch is filled from the next. batch(step) depends on nothing but the
// constructor's arguments. Not thread-safe: orders of the last epochs are kept.
class BatchOrder {
 public:
  // `lengths`: tokens per example, for longest_first: of the batches that lie wholly in epoch 0, the one with most
  // tokens changes places with the first, so that a run that will not fit in memory fails at once. Empty: off.
  BatchOrder(std::int64_t examples, std::int64_t batch_size, std::uint64_t seed,
             const std::vector<std::int64_t>& lengths = {});
  // Indices of the examples of a step, [batch_size].
  [[nodiscard]] std::vector<std::int64_t> batch(std::uint64_t step) const;

 private:
  [[nodiscard]] const std::vector<std::int64_t>& epoch_order(std::uint64_t epoch) const;
  std::int64_t examples_, batch_size_;
  std::uint64_t seed_;
  std::uint64_t longest_step_ = 0;
  mutable std::uint64_t cached_epoch_[2] = {~0ull, ~0ull};
  mutable std::vector<std::int64_t> cached_order_[2];
};

}  // namespace qzo::data
