#pragma once
// Distribution of |s| over many scales without a copy of them: one counter per value of the upper 16 bits of a float
// (sign taken out), so quantiles are exact to 2^-7 of their value; minimum and maximum are exact.

#include <cstdint>
#include <span>
#include <vector>

namespace qzo::cli {

class ScaleStatistics {
 public:
  void add(std::span<const float> scales);

  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t zeros() const { return zeros_; }
  [[nodiscard]] std::int64_t negatives() const { return negatives_; }
  [[nodiscard]] double minimum() const { return minimum_; }  // of |s|; 0 if empty
  [[nodiscard]] double maximum() const { return maximum_; }
  // |s| below which the share `p` of all scales lies.
  [[nodiscard]] double quantile(double p) const;
  // Share of scales with |s| < bound.
  [[nodiscard]] double share_below(double bound) const;

 private:
  std::vector<std::int64_t> buckets_ = std::vector<std::int64_t>(1u << 15);
  std::int64_t count_ = 0, zeros_ = 0, negatives_ = 0;
  double minimum_ = 0, maximum_ = 0;
};

}  // namespace qzo::cli
