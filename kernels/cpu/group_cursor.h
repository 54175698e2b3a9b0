#pragma once
// Which group the inputs of a panel belong to, and the zero points of a group.

#include <cstdint>

#include "cpu/tail.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

// The group of ascending inputs, without a division each.
class GroupCursor {
 public:
  GroupCursor(const CodeView& weight, std::int64_t k)
      : group_of_(weight.group_of), size_(weight.group), group_(k / size_), end_((group_ + 1) * size_) {}

  std::int64_t at(std::int64_t k) {
    if (group_of_ != nullptr) return group_of_[k];
    if (k == end_) {
      ++group_;
      end_ += size_;
    }
    return group_;
  }

 private:
  const std::int32_t* group_of_;
  std::int64_t size_;
  std::int64_t group_;
  std::int64_t end_;
};

template <class L>
inline typename L::Floats widen_zeros(const std::uint8_t* zeros, std::int64_t count) {
  alignas(64) std::uint32_t lanes[kLanes];
  for (std::int64_t i = 0; i < kLanes; ++i) lanes[i] = i < count ? zeros[i] : 0;
  return L::signed_to_float(L::load_words(lanes));
}

}  // namespace
}  // namespace qzo::kernels
