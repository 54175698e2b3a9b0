#pragma once
// The kernel bodies compiled once per instruction set, behind one table of functions. No inline function of the
// standard library may be instantiated in the vector variants: the linker could keep that copy for the whole program.

#include <cstdint>

#include "qzo/kernels/transformer.h"
#include "qzo/kernels/weight_view.h"

namespace qzo::kernels {

// Rows [row, row + count) of W, count <= 16, and inputs [k, k + depth), k a multiple of 32. Lane j of the panel is row
// row + j; lanes from `count` on become 0.
struct PanelRange {
  std::int64_t row;
  std::int64_t count;
  std::int64_t k;
  std::int64_t depth;
};

// y[r, 0..columns) continues its chain: += over depth of x[r, k] * panel[k, :].
struct TileJob {
  const float* x;  // [rows, depth], stride ldx
  std::int64_t ldx;
  std::int64_t rows;
  const float* panel;  // [depth, 16]
  std::int64_t depth;
  float* y;  // stride ldy
  std::int64_t ldy;
  std::int64_t columns;  // 1 to 16
  bool starts_chain;     // y is not read: the chain starts at 0
  const float* bias;     // [16], added behind the chain's last link; null otherwise
};

struct AttentionJob {
  const float* q;
  const float* k;
  const float* v;
  std::int64_t ldkv;
  const RowRange* visible;
  std::int64_t ranges;
  AttentionHeads heads;
  float* scratch;
  float* out;
};

struct Variant {
  void (*unpack_panel)(const CodeView& weight, const ScaleView& scale, const PanelRange& range, float* panel);
  void (*multiply)(const TileJob& job);
  void (*rms_norm)(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* out);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, std::int64_t rows,
                     std::int64_t width, float* out);
  void (*activate)(Activation f, float* x, const float* factor, std::int64_t count);
  void (*soft_cap)(float* x, float cap, std::int64_t count);
  void (*attention_row)(const AttentionJob& job);
  float (*log_sum_exp)(const float* x, std::int64_t count);
};

const Variant& portable_variant();
const Variant& avx2_variant();
const Variant& avx512_variant();
const Variant& active_variant();  // of active_isa()

}  // namespace qzo::kernels
