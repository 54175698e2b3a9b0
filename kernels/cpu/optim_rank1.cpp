#include "cpu/optim_rank1.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <numeric>

#include "cpu/optim_chunk.h"

namespace qzo::kernels {
namespace {

// Magnitudes ascend as their bits do.
void raise_shared(float& shared, float value) {
  const std::atomic_ref<float> cell(shared);
  float before = cell.load(std::memory_order_relaxed);
  while (std::bit_cast<std::uint32_t>(value) > std::bit_cast<std::uint32_t>(before) &&
         !cell.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
}

// visit(scale of the index that row `row` has on each leading axis).
template <class Float, class Visit>
void for_each_leading(std::span<const std::int64_t> shape, Float* scales, std::int64_t row, const Visit& visit) {
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) offset += shape[axis];
  for (std::size_t axis = shape.size() - 1; axis-- > 0;) {
    offset -= shape[axis];
    visit(scales[offset + row % shape[axis]]);
    row /= shape[axis];
  }
}

}  // namespace

bool is_rank1(const StateView& state) {
  return state.codec.bits != 32 && state.codec.norm == StateNorm::kRank1 && state.shape.size() > 1;
}

std::int64_t rank1_last_axis(std::span<const std::int64_t> shape) {
  return std::accumulate(shape.begin(), shape.end() - 1, std::int64_t{0});
}

float rank1_least(std::span<const std::int64_t> shape, const float* scales, std::int64_t row) {
  float least = std::numeric_limits<float>::infinity();
  for_each_leading(shape, scales, row, [&](float scale) { least = std::min(least, scale); });
  return least;
}

float rank1_most(std::span<const std::int64_t> shape, const float* scales, std::int64_t row) {
  float most = 0;
  for_each_leading(shape, scales, row, [&](float scale) { most = std::max(most, scale); });
  return most;
}

void rank1_scales(std::span<const std::int64_t> shape, const float* scales, std::int64_t first, std::int64_t count,
                  float* out) {
  const OptimVariant& variant = active_optim();
  const std::int64_t last = shape.back();
  const float* last_scales = scales + rank1_last_axis(shape);
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t column = (first + done) % last;
    const std::int64_t length = std::min(count - done, last - column);
    variant.bounded(last_scales + column, rank1_least(shape, scales, (first + done) / last), length, out + done);
    done += length;
  }
  for (std::int64_t i = count; i % 16 != 0; ++i) out[i] = 0;
}

Rank1Raise::Rank1Raise(std::span<const std::int64_t> shape, float* scales, std::int64_t piece_first,
                       std::int64_t piece_count)
    : shape_(shape),
      scales_(scales),
      last_scales_(scales + rank1_last_axis(shape)),
      last_(shape.back()),
      origin_(piece_first),
      collected_(static_cast<std::size_t>(std::min(last_, piece_count))) {}

void Rank1Raise::add(std::int64_t first, std::int64_t count, const float* x) {
  const OptimVariant& variant = active_optim();
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t element = first + done;
    const std::int64_t slot = (element - origin_) % last_;
    const std::int64_t length = std::min({count - done, last_ - element % last_, last_ - slot});
    const float most = variant.raise(x + done, length, collected_.data() + slot);
    add_row(element, most);
    done += length;
  }
}

void Rank1Raise::add_row(std::int64_t first, float most) {
  for_each_leading(shape_, scales_, first / last_, [&](float& scale) { raise_shared(scale, most); });
}

void Rank1Raise::finish() {
  for (std::size_t slot = 0; slot < collected_.size(); ++slot)
    raise_shared(last_scales_[(origin_ + static_cast<std::int64_t>(slot)) % last_], collected_[slot]);
}

}  // namespace qzo::kernels
