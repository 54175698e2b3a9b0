#pragma once
// Rows of x to prepared rows, once for any lanes type; every operation is exact by IEEE 754, so all give the same bits.

#include <cstdint>
#include <cstring>

#include "cpu/late_variant.h"
#include "cpu/tail.h"

namespace qzo::kernels {
namespace {

inline constexpr std::int64_t kMaxChunk = 128;

// The inputs of a chunk, in order: in x itself where they fill whole vectors there, otherwise in `copy`, with zeros
// behind them up to a multiple of 16.
inline const float* chunk_inputs(const RowJob& job, std::int64_t begin, std::int64_t length, float* copy) {
  const bool whole = length % kLanes == 0;
  if (job.plan.source == nullptr && whole) return job.x + begin;
  if (!whole)
    for (std::int64_t i = length / kLanes * kLanes; i < (length / kLanes + 1) * kLanes; ++i) copy[i] = 0.0F;
  if (job.plan.source == nullptr) {
    std::memcpy(copy, job.x + begin, static_cast<std::size_t>(length) * sizeof(float));
  } else {
    const std::int32_t* source = job.plan.source + begin;
    for (std::int64_t i = 0; i < length; ++i) copy[i] = source[i] < 0 ? 0.0F : job.x[source[i]];
  }
  return copy;
}

// store(out, i) for the vectors of a chunk, each kBytes long; of the last one only what belongs to the chunk arrives.
template <std::int64_t kBytes, class Store>
inline void store_chunk(std::byte* out, std::int64_t length, Store store) {
  std::int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes) store(out + i * kBytes / kLanes, i);
  if (i == length) return;
  alignas(64) std::byte last[static_cast<std::size_t>(kBytes)];
  store(last, i);
  std::memcpy(out + i * kBytes / kLanes, last, static_cast<std::size_t>((length - i) * kBytes / kLanes));
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

// kBf16 and kBf16x2 where products are fp32 ones: the rounded activation, or the sum of its two parts, as a float.
template <class L, bool kTwoParts>
void prepare_floats(const RowJob& job) {
  using Floats = typename L::Floats;
  alignas(64) float copy[kMaxChunk];
  auto* sums = reinterpret_cast<float*>(job.row + job.layout.sums);
  std::int64_t begin = 0;
  for (std::int64_t c = 0; c < job.plan.chunks; ++c) {
    const std::int64_t length = job.plan.length[c];
    const float* inputs = chunk_inputs(job, begin, length, copy);
    Floats sum = L::zero();
    store_chunk<4 * kLanes>(job.row + begin * 4, length, [&](std::byte* at, std::int64_t i) {
      const Floats x = L::load(inputs + i);
      Floats whole = L::add(to_bfloat16<L>(x), poison<L>(x));
      if constexpr (kTwoParts) whole = L::add(whole, to_bfloat16<L>(L::sub(x, whole)));
      sum = L::add(sum, whole);
      L::store(reinterpret_cast<float*>(at), whole);
    });
    if (job.shift == Shift::kOffsets) sums[c] = L::reduce_add(sum);
    begin += length;
  }
}

// The same for products of bf16: parts as L::Halves, rounded by an instruction that keeps NaN and takes subnormal
// numbers for 0, as the products do. Second parts stand in an array of their own.
template <class L, bool kTwoParts>
void prepare_halves(const RowJob& job) {
  using Floats = typename L::Floats;
  alignas(64) float copy[kMaxChunk];
  auto* sums = reinterpret_cast<float*>(job.row + job.layout.sums);
  const std::int64_t low = job.layout.low;
  std::int64_t begin = 0;
  for (std::int64_t c = 0; c < job.plan.chunks; ++c) {
    const std::int64_t length = job.plan.length[c];
    const float* inputs = chunk_inputs(job, begin, length, copy);
    Floats sum = L::zero();
    store_chunk<2 * kLanes>(job.row + begin * 2, length, [&](std::byte* at, std::int64_t i) {
      const auto high = L::to_halves(L::load(inputs + i));
      sum = L::add(sum, L::from_halves(high));
      L::store(at, high);
    });
    if constexpr (kTwoParts)
      store_chunk<2 * kLanes>(job.row + low + begin * 2, length, [&](std::byte* at, std::int64_t i) {
        const Floats x = L::load(inputs + i);
        const auto rest = L::to_halves(L::sub(x, L::from_halves(L::to_halves(x))));
        sum = L::add(sum, L::from_halves(rest));
        L::store(at, rest);
      });
    if (job.shift == Shift::kOffsets) sums[c] = L::reduce_add(sum);
    begin += length;
  }
}

// Largest |x| of a chunk below which its activations count as 0: 127 / max must stay finite.
inline constexpr float kSmallest = 0x1p-100F;

template <class L>
void prepare_int8(const RowJob& job) {
  using Floats = typename L::Floats;
  using Words = typename L::Words;
  constexpr std::int32_t kInfinity = 0x7f800000;
  const Words magnitude = L::broadcast_word(0x7fffffffU);
  alignas(64) float copy[kMaxChunk];
  auto* scales = reinterpret_cast<float*>(job.row + job.layout.scales);
  std::int64_t begin = 0;
  for (std::int64_t c = 0; c < job.plan.chunks; ++c) {
    const std::int64_t length = job.plan.length[c];
    const float* inputs = chunk_inputs(job, begin, length, copy);
    // Bits of magnitudes are in the order of the magnitudes, infinity and the NaNs above all.
    Words largest = L::broadcast_word(0);
    for (std::int64_t i = 0; i < length; i += kLanes)
      largest = L::max_signed(largest, L::bit_and(L::bits_of(L::load(inputs + i)), magnitude));
    const std::int32_t max_bits = L::reduce_max_signed(largest);
    float max;
    std::memcpy(&max, &max_bits, 4);
    const bool finite = max_bits < kInfinity, usable = finite && max >= kSmallest;
    const Floats inverse = L::broadcast(usable ? 127.0F / max : 0.0F);
    scales[c] = usable ? max / 127.0F : finite ? 0.0F : max * 0.0F;  // of an infinity: NaN
    Words total = L::broadcast_word(0);
    store_chunk<kLanes>(job.row + begin, length, [&](std::byte* at, std::int64_t i) {
      const Words q = L::nearest_signed(L::mul(L::load(inputs + i), inverse));
      total = L::add(total, q);
      L::store_bytes(at, q);
    });
    begin += length;
    if (job.shift == Shift::kNone) continue;
    const auto sum = static_cast<std::int32_t>(L::reduce_add(total));
    std::byte* at = job.row + job.layout.sums + c * 4;
    if (job.shift == Shift::kConstant) {
      const std::int32_t shift = -job.zero * sum;
      std::memcpy(at, &shift, 4);
    } else {
      const float scaled = scales[c] * static_cast<float>(sum);
      std::memcpy(at, &scaled, 4);
    }
  }
}

}  // namespace
}  // namespace qzo::kernels
