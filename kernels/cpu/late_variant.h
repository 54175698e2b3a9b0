#pragma once
// What a scale-late kernel of one instruction set and one kind of inputs consists of (qzo/kernels/scale_late.h).

#include <cstddef>
#include <cstdint>

#include "qzo/kernels/cpu_features.h"
#include "qzo/kernels/scale_late.h"

namespace qzo::kernels {

inline constexpr std::int64_t kBlockDepth = 512;  // inputs of a block, at most
inline constexpr std::int64_t kBlockChunks = 16;  // chunks of a block, at most
inline constexpr std::int64_t kPieceColumns =
    64;  // outputs of a piece at most: whole panels of every width, half of it too
inline constexpr std::int64_t kMaxWidth = 32;  // outputs of a panel, at most

// Where the parts of a prepared row stand, in bytes. One activation takes `element` bytes; kBf16x2 has a second part.
struct RowLayout {
  std::int64_t element;
  std::int64_t low;     // second parts (kBf16x2 with bf16 products)
  std::int64_t scales;  // float a chunk (kInt8)
  std::int64_t sums;  // a chunk: float sum of the activations, or int32 -zero * sum (kInt8, one zero point throughout)
  std::int64_t bytes;
};

// How zero points and minima enter a product.
enum class Shift : std::uint8_t {
  kNone,      // the panel holds q - z
  kConstant,  // one integer for the whole weight, folded into the group sums (kInt8)
  kOffsets,   // + offset[g, n] * (sum of the group's activations)
};

// A ChunkPlan without std::vector: the vector variants must not instantiate inline functions of the standard library.
struct PlanView {
  std::int64_t chunks;
  const std::int32_t* length;
  const std::int32_t* group;
  const std::int32_t* source;  // null: position == input
};

// Columns [column, column + count) of one block of chunks, as a panel.
struct PanelJob {
  const CodeView& weight;
  PlanView plan;
  std::int64_t column;
  std::int64_t count;
  std::int64_t first_chunk;
  std::int64_t chunks;
  std::int64_t begin;  // positions [begin, end)
  std::int64_t end;
  std::uint32_t* words;  // scratch [kBlockDepth / 4, width]: four codes of consecutive positions, lowest byte first
  void* panel;           // out; may be `words`
};

// One row of x to a prepared row.
struct RowJob {
  PlanView plan;
  RowLayout layout;
  Shift shift;
  std::int32_t zero;  // Shift::kConstant
  const float* x;
  std::byte* row;
};

struct LateTile {
  const std::byte* x;  // first row
  std::int64_t row_bytes;
  std::int64_t rows;
  std::int64_t activations, low, scales, sums;  // byte offsets of the block's parts in a row
  // What is fetched into L2 for later: the block's parts of the row `ahead` bytes on, the activations by the panels of
  // a piece together, each the share that begins at `share`.
  std::int64_t ahead;
  std::int64_t share;
  int log2_shares;
  const void* panel;
  const std::int32_t* length;  // of each chunk
  std::int64_t chunks;
  const float* weight_scales;   // [chunks, width]
  const float* weight_offsets;  // the same, or null
  bool constant_shift;
  std::int64_t inputs_in_16_bits;  // inputs whose products can be added up in 16-bit lanes (kInt8)
  bool byte_codes;                 // unsigned codes of eight bits (kInt8)
  const float* from;               // sums so far [rows, columns], row stride from_stride; null: 0. May be y
  std::int64_t from_stride;
  float* y;
  std::int64_t ldy;
  std::int64_t columns;  // 1 to width
  // Where these sums end up, if they begin here: lines of y that are fetched for writing well before the stores, which
  // would wait for them one by one. Null otherwise.
  const float* claimed;
  std::int64_t claimed_stride;
  const float* bias;  // [width], behind the last block; null otherwise
};

struct LateKernel {
  std::int64_t width;          // outputs of a panel
  std::int64_t element;        // bytes of an activation
  std::int64_t panel_element;  // bytes of an integer in a panel, 1 to 4
  bool two_parts;
  void (*prepare)(const RowJob& job);
  void (*unpack)(const PanelJob& job);
  void (*multiply)(const LateTile& tile);
};

const LateKernel& late_kernel(const CodeView& weight, LateInputs inputs);  // of active_isa()

Shift shift_of(const CodeView& weight, LateInputs inputs);
std::int32_t constant_zero(const CodeView& weight);  // where `zeros` is null; 0 for layouts without zero points
bool has_byte_codes(const CodeView& weight);         // unsigned codes of eight bits in a panel
// Inputs whose products' pair sums add up in 16 bits: codes to 15, 31 or 63 times 127, two of them four times as often.
std::int64_t inputs_in_16_bits(const CodeView& weight);

// One file each; kBf16 and kBf16x2 without AVX512_BF16 share a kernel over fp32.
const LateKernel& late_float_portable(LateInputs inputs);
const LateKernel& late_float_avx2(LateInputs inputs);
const LateKernel& late_float_avx512(LateInputs inputs);
const LateKernel& late_bf16_avx512(LateInputs inputs);
const LateKernel& late_int8_portable();
const LateKernel& late_int8_avx2();
const LateKernel& late_int8_avx512();

}  // namespace qzo::kernels
