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

// The same with the largest over the axes, and without padding: for reciprocals of scales.
void rank1_reciprocals(std::span<const std::int64_t> shape, const float* reciprocals, std::int64_t first,
                       std::int64_t count, float* out);

// Raises the scales of a tensor, shared by threads, to the |x| of one piece of it. Those of the last axis are collected
// in the piece and merged by finish().
class Rank1Raise {
 public:
  Rank1Raise(std::span<const std::int64_t> shape, float* scales, std::int64_t piece_first, std::int64_t piece_count);
  void add(std::int64_t first, std::int64_t count, const float* x);
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
