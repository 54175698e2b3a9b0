#include "qzo/data/sampler.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/philox.h"
#include "qzo/core/text.h"

namespace qzo::data {

namespace {

// MT19937 with the seeding of numpy.random.seed(int) (init_genrand).
class MersenneTwister {
 public:
  explicit MersenneTwister(std::uint32_t seed) {
    state_[0] = seed;
    for (std::uint32_t i = 1; i < kSize; ++i) {
      state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
    }
  }

  std::uint32_t next() {
    if (at_ == kSize) refill();
    std::uint32_t y = state_[at_++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9D2C5680U;
    y ^= (y << 15) & 0xEFC60000U;
    return y ^ (y >> 18);
  }

  // numpy's legacy random_interval: uniform in [0, max], by masked rejection.
  std::uint32_t interval(std::uint32_t max) {
    std::uint32_t mask = max;
    for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
    for (;;) {
      if (const std::uint32_t value = next() & mask; value <= max) return value;
    }
  }

 private:
  static constexpr std::uint32_t kSize = 624;

  void refill() {
    for (std::uint32_t i = 0; i < kSize; ++i) {
      const std::uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % kSize] & 0x7FFFFFFFU);
      state_[i] = state_[(i + 397) % kSize] ^ (y >> 1) ^ ((y & 1U) != 0 ? 0x9908B0DFU : 0U);
    }
    at_ = 0;
  }

  std::array<std::uint32_t, kSize> state_{};
  std::uint32_t at_ = kSize;
};

// Random words of one epoch. The counter has the layout of the scale noise (kernels/zo_perturb.h), under a purpose of
// its own, so a run may use one seed for both.
class EpochWords {
 public:
  EpochWords(std::uint64_t seed, std::uint64_t epoch) : seed_(seed), epoch_(epoch) {}

  // Uniform in [0, bound), by rejection of the uneven rest.
  std::uint32_t below(std::uint32_t bound) {
    const auto rest = static_cast<std::uint32_t>((std::uint64_t{1} << 32) % bound);
    for (;;) {
      if (const std::uint32_t word = next(); word <= ~rest) return word % bound;
    }
  }

 private:
  std::uint32_t next() {
    if (used_ == 4) {
      constexpr std::uint32_t kPurpose = 1;
      words_ = core::philox4x32_10(
          {quad_++, kPurpose << 16, static_cast<std::uint32_t>(epoch_ >> 32), static_cast<std::uint32_t>(seed_ >> 32)},
          {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(epoch_)});
      used_ = 0;
    }
    return words_[used_++];
  }

  std::uint64_t seed_;
  std::uint64_t epoch_;
  std::uint32_t quad_ = 0;
  std::size_t used_ = 4;
  core::PhiloxCounter words_{};
};

std::vector<std::int64_t> identity(std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return order;
}

}  // namespace

std::vector<std::int64_t> legacy_permutation(std::uint32_t seed, std::int64_t n) {
  QZO_CHECK(n >= 0 && n <= std::int64_t{0xFFFFFFFF}, "n ", n);
  std::vector<std::int64_t> order = identity(n);
  MersenneTwister random(seed);
  for (std::size_t i = order.size(); i-- > 1;) {
    std::swap(order[i], order[random.interval(static_cast<std::uint32_t>(i))]);
  }
  return order;
}

Split choose_train_dev(std::uint32_t seed, std::int64_t n, std::int64_t train, std::int64_t dev,
                       const std::string& what) {
  QZO_CHECK(train >= 0 && dev >= 0, "train ", train, ", dev ", dev);
  if (train > n || dev > n - train) {
    throw core::UserError(core::text(what, " has ", n, " rows, but ", train, " for training and ", dev,
                                     " for the dev set are asked for. Lower data.num_train or data.num_dev."));
  }
  const std::vector<std::int64_t> order = legacy_permutation(seed, n);
  return {{order.begin(), order.begin() + train}, {order.begin() + train, order.begin() + train + dev}};
}

BatchOrder::BatchOrder(std::int64_t examples, std::int64_t batch_size, std::uint64_t seed,
                       const std::vector<std::int64_t>& lengths)
    : examples_(examples), batch_size_(batch_size), seed_(seed) {
  QZO_CHECK(examples > 0 && examples <= std::int64_t{0xFFFFFFFF}, "examples ", examples);
  QZO_CHECK(batch_size > 0, "batch size ", batch_size);
  QZO_CHECK(lengths.empty() || static_cast<std::int64_t>(lengths.size()) == examples, lengths.size(), " lengths of ",
            examples, " examples");
  if (lengths.empty()) return;
  std::int64_t most = -1;
  std::uint64_t longest = 0;
  for (std::uint64_t step = 0; step < static_cast<std::uint64_t>(examples / batch_size); ++step) {
    std::int64_t tokens = 0;
    for (const std::int64_t index : batch(step)) tokens += lengths[static_cast<std::size_t>(index)];
    if (tokens > most) {
      most = tokens;
      longest = step;
    }
  }
  longest_step_ = longest;
}

const std::vector<std::int64_t>& BatchOrder::epoch_order(std::uint64_t epoch) const {
  const std::size_t slot = epoch % 2;
  if (cached_epoch_[slot] != epoch) {
    std::vector<std::int64_t> order = identity(examples_);
    EpochWords words(seed_, epoch);
    for (std::size_t i = order.size(); i-- > 1;) {
      std::swap(order[i], order[words.below(static_cast<std::uint32_t>(i + 1))]);
    }
    cached_order_[slot] = std::move(order);
    cached_epoch_[slot] = epoch;
  }
  return cached_order_[slot];
}

std::vector<std::int64_t> BatchOrder::batch(std::uint64_t step) const {
  if (step == 0) {
    step = longest_step_;
  } else if (step == longest_step_) {
    step = 0;
  }
  const auto examples = static_cast<std::uint64_t>(examples_);
  const auto size = static_cast<std::uint64_t>(batch_size_);
  std::vector<std::int64_t> out;
  out.reserve(size);
  for (std::uint64_t position = step * size; position < (step + 1) * size; ++position) {
    out.push_back(epoch_order(position / examples)[position % examples]);
  }
  return out;
}

}  // namespace qzo::data
