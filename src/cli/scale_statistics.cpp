#include "qzo/cli/scale_statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace qzo::cli {
namespace {

std::size_t bucket_of(float magnitude) { return std::bit_cast<std::uint32_t>(magnitude) >> 16; }

float lower_edge(std::size_t bucket) { return std::bit_cast<float>(static_cast<std::uint32_t>(bucket) << 16); }

}  // namespace

void ScaleStatistics::add(std::span<const float> scales) {
  for (const float scale : scales) {
    const float magnitude = std::fabs(scale);
    if (count_ == 0 || magnitude < minimum_) minimum_ = magnitude;
    if (magnitude > maximum_) maximum_ = magnitude;
    ++count_;
    if (magnitude == 0) ++zeros_;
    if (scale < 0) ++negatives_;
    ++buckets_[bucket_of(magnitude)];
  }
}

double ScaleStatistics::quantile(double p) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<std::int64_t>(std::floor(p * static_cast<double>(count_ - 1)));
  std::int64_t below = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    below += buckets_[bucket];
    if (below > rank) return std::clamp<double>(lower_edge(bucket), minimum_, maximum_);
  }
  return maximum_;
}

double ScaleStatistics::share_below(double bound) const {
  if (count_ == 0 || !(bound > 0)) return 0;
  std::int64_t below = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size() && lower_edge(bucket) < bound; ++bucket)
    below += buckets_[bucket];
  return static_cast<double>(below) / static_cast<double>(count_);
}

}  // namespace qzo::cli
