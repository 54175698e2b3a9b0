#pragma once
// Rows of x to prepared rows, once for any lanes type; every operation is exact by IEEE 754, so all give the same bits.

#include <cstdint>
#include <cstring>

#include "cpu/late_variant.h"
#include "cpu/tail.h"

namespace qzo::kernels {
namespace {

inline constexpr std::int64_t kMaxChunk = 128;

// The inputs of a chunk, in order, zeros behind them up to a multiple of 16. Returns the position behind the chunk.
inline std::int64_t gather_chunk(const RowJob& job, std::int64_t chunk, std::int64_t begin, float* values) {
  const std::int64_t length = job.plan.length[chunk];
  for (std::int64_t i = length / kLanes * kLanes; i < (length + kLanes - 1) / kLanes * kLanes; ++i) values[i] = 0.0F;
  if (job.plan.source == nullptr) {
    std::memcpy(values, job.x + begin, static_cast<std::size_t>(length) * sizeof(float));
  } else {
    const std::int32_t* source = job.plan.source + begin;
    for (std::int64_t i = 0; i < length; ++i) values[i] = source[i] < 0 ? 0.0F : job.x[source[i]];
  }
  return begin + length;
}

// x * 0 is 0, or NaN for a NaN or an infinity: added to what is stored, so that neither gets lost in rounding.
template <class L>
inline typename L::Floats poison(typename L::Floats x) {
  return L::mul(x, L::zero());
}

template <class L>
inline typename L::Floats to_bfloat16(typename L::Floats x) {
  const typename L::Words bits = L::bits_of(x);
  const typename L::Words odd = L::bit_and(L::shift_right(bits, 16), L::broadcast_word(1));
  const typename L::Words rounded = L::add(bits, L::add(odd, L::broadcast_word(0x7fff)));
  return L::float_of(L::bit_and(rounded, L::broadcast_word(0xffff0000U)));
}

inline void store_upper_half(std::byte* out, const float* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values + i, 4);
    const auto half = static_cast<std::uint16_t>(bits >> 16);
    std::memcpy(out + 2 * i, &half, 2);
  }
}

// kBf16 and kBf16x2. Parts are stored as bf16 (kHalves: hi, and lo in a second array) or as one float, their sum.
template <class L, bool kHalves, bool kTwoParts>
void prepare_floats(const RowJob& job) {
  using Floats = typename L::Floats;
  alignas(64) float values[kMaxChunk];
  alignas(64) float low[kMaxChunk];
  auto* sums = reinterpret_cast<float*>(job.row + job.layout.sums);
  std::int64_t begin = 0;
  for (std::int64_t c = 0; c < job.plan.chunks; ++c) {
    const std::int64_t end = gather_chunk(job, c, begin, values);
    const std::int64_t length = end - begin;
    Floats sum = L::zero();
    for (std::int64_t i = 0; i < length; i += kLanes) {
      const Floats x = L::load(values + i);
      const Floats high = L::add(to_bfloat16<L>(x), poison<L>(x));
      Floats whole = high;
      if constexpr (kTwoParts) {
        const Floats rest = to_bfloat16<L>(L::sub(x, high));
        whole = L::add(high, rest);
        L::store(low + i, rest);
      }
      L::store(values + i, kHalves ? high : whole);
      sum = L::add(sum, whole);
    }
    if (job.shift == Shift::kOffsets) sums[c] = L::reduce_add(sum);
    std::byte* out = job.row + begin * job.layout.element;
    if constexpr (kHalves) {
      store_upper_half(out, values, length);
      if constexpr (kTwoParts) store_upper_half(out + job.layout.low, low, length);
    } else {
      std::memcpy(out, values, static_cast<std::size_t>(length) * sizeof(float));
    }
    begin = end;
  }
}

// Largest |x| of a chunk below which its activations count as 0: 127 / max must stay finite.
inline constexpr float kSmallest = 0x1p-100F;

template <class L>
void prepare_int8(const RowJob& job) {
  using Floats = typename L::Floats;
  using Words = typename L::Words;
  constexpr float kRound = 0x1.8p23F;  // v + kRound has round(v), nearest even, in its low bits
  const Words low_bits = L::bits_of(L::broadcast(kRound));
  const Words magnitude = L::broadcast_word(0x7fffffffU);
  alignas(64) float values[kMaxChunk];
  alignas(64) std::uint32_t words[kMaxChunk];
  auto* scales = reinterpret_cast<float*>(job.row + job.layout.scales);
  std::int64_t begin = 0;
  for (std::int64_t c = 0; c < job.plan.chunks; ++c) {
    const std::int64_t end = gather_chunk(job, c, begin, values);
    const std::int64_t length = end - begin;
    Floats largest = L::zero(), spoiled = L::zero();
    for (std::int64_t i = 0; i < length; i += kLanes) {
      const Floats x = L::load(values + i);
      largest = L::max(L::float_of(L::bit_and(L::bits_of(x), magnitude)), largest);
      spoiled = L::add(spoiled, poison<L>(x));
    }
    const float max = L::reduce_max(largest);
    const float nan_or_zero = L::reduce_add(spoiled);
    const bool usable = nan_or_zero == 0.0F && max >= kSmallest;
    const Floats inverse = L::broadcast(usable ? 127.0F / max : 0.0F);
    scales[c] = (usable ? max / 127.0F : 0.0F) + nan_or_zero;
    Words total = L::broadcast_word(0);
    for (std::int64_t i = 0; i < length; i += kLanes) {
      const Floats x = usable ? L::load(values + i) : L::zero();
      const Words q = L::sub(L::bits_of(L::add(L::mul(x, inverse), L::broadcast(kRound))), low_bits);
      total = L::add(total, q);
      L::store(reinterpret_cast<float*>(words + i), L::float_of(q));
    }
    std::byte* out = job.row + begin;
    for (std::int64_t i = 0; i < length; ++i) out[i] = static_cast<std::byte>(words[i] & 255U);
    if (job.shift != Shift::kNone) {
      alignas(64) std::uint32_t lanes[kLanes];
      L::store(reinterpret_cast<float*>(lanes), L::float_of(total));
      std::uint32_t sum = 0;
      for (std::int64_t i = 0; i < kLanes; ++i) sum += lanes[i];
      const auto signed_sum = static_cast<std::int32_t>(sum);
      std::byte* at = job.row + job.layout.sums + c * 4;
      if (job.shift == Shift::kConstant) {
        const std::int32_t shift = -job.zero * signed_sum;
        std::memcpy(at, &shift, 4);
      } else {
        const float scaled = scales[c] * static_cast<float>(signed_sum);
        std::memcpy(at, &scaled, 4);
      }
    }
    begin = end;
  }
}

}  // namespace
}  // namespace qzo::kernels
