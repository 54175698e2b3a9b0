#pragma once
// Rank-1 scales of any rank: one vector of maxima for each axis, stored one after the other.

#include <cstdint>
#include <span>
#include <vector>

#include "qzo/kernels/optim_state.h"

namespace qzo::kernels {

bool is_rank1(const StateView& state);

// out[i] = scale of element first + i: the smallest over the axes. Padded with zeros to a multiple of sixteen.
void rank1_scales(std::span<const std::int64_t> shape, const float* scales, std::int64_t first, std::int64_t count,
                  float* out);

// Where a row's entries of the last axis begin among the scales.
std::int64_t rank1_last_axis(std::span<const std::int64_t> shape);
// The smallest, or largest, of the scales that row `row` of the last axis has on the leading axes.
float rank1_least(std::span<const std::int64_t> shape, const float* scales, std::int64_t row);
float rank1_most(std::span<const std::int64_t> shape, const float* scales, std::int64_t row);

// Raises the scales of a tensor, shared by threads, to the |x| of one piece of it. Those of the last axis are collected
// in the piece and merged by finish().
class Rank1Raise {
 public:
  Rank1Raise(std::span<const std::int64_t> shape, float* scales, std::int64_t piece_first, std::int64_t piece_count);
  void add(std::int64_t first, std::int64_t count, const float* x);
  // The same for elements of one row whose largest |x| is known, and which the caller merges into last(first).
  void add_row(std::int64_t first, float most);
  // Maxima of the last axis from an element on, up to row lengths after the first element of the piece.
  [[nodiscard]] float* last(std::int64_t first) { return collected_.data() + (first - origin_) % last_; }
  void finish();

 private:
  std::span<const std::int64_t> shape_;
  float* scales_;
  float* last_scales_;
  std::int64_t last_;    // length of the last axis
  std::int64_t origin_;  // element that collected_[0] stands for, and every last_-th behind it
  std::vector<float> collected_;
};

}  // namespace qzo::kernels
