#pragma once
// Fewer than sixteen elements, over any lanes type.

#include <cstdint>

namespace qzo::kernels {
namespace {

inline constexpr std::int64_t kLanes = 16;

// Missing lanes are `filler`. Kept out of line: unrolled copies of this rare path would swamp the loops around it.
template <class L>
[[gnu::noinline]] typename L::Floats load_tail(const float* p, std::int64_t count, float filler = 0.0F) {
  alignas(64) float buffer[kLanes];
  for (std::int64_t i = 0; i < kLanes; ++i) buffer[i] = i < count ? p[i] : filler;
  return L::load(buffer);
}

template <class L>
[[gnu::noinline]] void store_tail(float* p, typename L::Floats a, std::int64_t count) {
  alignas(64) float buffer[kLanes];
  L::store(buffer, a);
  for (std::int64_t i = 0; i < count; ++i) p[i] = buffer[i];
}

// The next up to sixteen of `left` elements.
template <class L>
inline typename L::Floats load_some(const float* p, std::int64_t left, float filler = 0.0F) {
  return left >= kLanes ? L::load(p) : load_tail<L>(p, left, filler);
}

template <class L>
inline void store_some(float* p, typename L::Floats a, std::int64_t left) {
  if (left >= kLanes)
    L::store(p, a);
  else
    store_tail<L>(p, a, left);
}

}  // namespace
}  // namespace qzo::kernels
