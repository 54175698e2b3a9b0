#pragma once
// Low-bit states of optimizers: code tables, sizes, encoding and decoding ("Memory Efficient Optimizers with 4-bit
// States", arXiv 2309.01507; 8 bits: arXiv 2110.02861).
//
//   value = table[code] * scale                                        one fp32 multiplication
//   code  = number of midpoints of the table below x / scale           true division; ties take the lower code
//   scale: largest |x| of a block of the row-major flattened tensor (kBlock), or, for an element, the smallest over the
//          axes of the largest |x| that shares its index on that axis (kRank1; one-dimensional tensors use blocks)
//   scale 0: the last code, value 0
//
// 4-bit codes: the even element in the low nibble, an unused high nibble is 0. Scales are fp32 whatever the weights
// are.

#include <cstdint>
#include <span>
#include <vector>

namespace qzo::kernels {

enum class StateTable : std::uint8_t {
  kDeSigned,        // dynamic exponent with sign; -1 is not representable
  kDeUnsigned,      // dynamic exponent
  kDeUnsignedNo0,   // DE-0: entry 0 repeats entry 1
  kLinearUnsigned,  // (i + 1) / 2^bits
  kPower2Unsigned,  // its square
};

enum class StateNorm : std::uint8_t { kBlock, kRank1 };

enum class StateRounding : std::uint8_t {
  kNearest,
  kStochastic,  // between the two neighbours in proportion to the distances
  kGrid,        // 8 bits, blocks: bitsandbytes' CPU kernel: x * (1 / scale) on a grid of 65,536 points, then nearest
};

struct StateCodec {
  int bits = 32;  // 4, 8; 32: plain fp32, the rest means nothing
  StateTable table = StateTable::kDeSigned;
  StateNorm norm = StateNorm::kBlock;
  std::int64_t block = 128;  // elements; a power of two from 16 to 1024

  friend bool operator==(const StateCodec&, const StateCodec&) = default;
};

// Sizes of a state: the only place that computes them; allocation, kernels and checkpoints ask here.
struct StateLayout {
  std::int64_t elements = 0;
  std::int64_t code_bytes = 0;            // ceil(elements bits / 8); 0 for plain fp32
  std::int64_t values = 0;                // plain fp32 only: elements
  std::int64_t scales = 0;                // blocks, or the sum over the axes
  std::vector<std::int64_t> axis_scales;  // rank-1: scales of each axis, in storage order; empty for blocks

  [[nodiscard]] std::int64_t bytes() const { return code_bytes + 4 * (values + scales); }
};
// InternalError on a codec that does not exist (bits, block, negative dimension). A scalar has an empty shape.
StateLayout state_layout(const StateCodec& codec, std::span<const std::int64_t> shape);

// Ascending, 2^bits entries, and the fp32 midpoints between them (one fewer).
std::span<const float> state_table(StateTable table, int bits);
std::span<const float> state_midpoints(StateTable table, int bits);

// A state in memory, not owned; buffers as state_layout says, null where it says 0.
struct StateView {
  StateCodec codec;
  std::span<const std::int64_t> shape;
  std::uint8_t* codes = nullptr;
  float* scales = nullptr;  // blocks in order, or axis 0, axis 1, ...
  float* values = nullptr;  // plain fp32
  StateRounding rounding = StateRounding::kNearest;
};

// Names the random words of a step's rounding.
struct RoundingKey {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
};

// A whole tensor, [elements] row-major. `tensor` names the noise of stochastic rounding, with `key`.
void decode_state(const StateView& state, float* out);
void encode_state(const StateView& state, const float* x, RoundingKey key = {}, std::uint32_t tensor = 0);

}  // namespace qzo::kernels
