#pragma once
// One weight matrix as the checkpoint has it, plus its fp32 master scales.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "qzo/core/dtype.h"
#include "qzo/io/scale_patch.h"
#include "qzo/kernels/scale_late.h"
#include "qzo/kernels/weight_view.h"
#include "qzo/kernels/zo_perturb.h"

namespace qzo::quant {

// How a block minimum (GGUF Q4_1, Q5_1: w = d q + m; Q4_K, Q5_K: w = d sc q - dmin m) follows its scale.
enum class MinimumRule : std::uint8_t {
  kTied,   // zero point -m/d stays fixed, d and m move together (the published rule w = s (q - z))
  kFixed,  // m stays, d alone moves
};

// Moved, never copied: views point into its own vectors. The checkpoint it was loaded from must outlive it.
struct PackedWeight {
  PackedWeight() = default;
  PackedWeight(PackedWeight&&) = default;
  PackedWeight& operator=(PackedWeight&&) = default;

  std::string name;         // tensor name stem: "model.layers.0.self_attn.q_proj", "blk.0.attn_q"
  std::string format;       // Format::name(): "gptq" (4 bit), "gptq3", "awq", "q4_1", "q6_k", "nf4", "aqlm", "dense"
  kernels::CodeView codes;  // codes and zeros point into the mapped checkpoint or into the owned vectors below
  std::vector<float>
      scales;  // fp32 masters in storage order (GPTQ, AWQ [groups, out]; others [out, groups]); empty: dense
  std::vector<std::int64_t> scale_shape;
  // Where one master serves several groups of the kernel (K-quants; bitsandbytes blocks that go on from row to row):
  // group i of [out, in / codes.group] has master i / groups_per_master, and that times an integer of the file.
  std::int64_t groups_per_master = 1;
  std::vector<std::int8_t> part_scales;    // K-quants: one a group; empty: 1 throughout
  std::vector<std::int8_t> part_minimums;  // Q4_K, Q5_K: the same for minima, negated
  bool signed_scales = false;              // GGUF d may be negative
  MinimumRule minimum_rule = MinimumRule::kTied;
  std::vector<float> minimum;  // as the scales: m/d (tied) or m (fixed); in constant groups m itself; HQQ: -zero
  // Ascending indices of masters that are never perturbed or updated, since they are 0 in the file: with a tied minimum
  // (there w = m), and in tables.
  std::vector<std::int64_t> constant_groups;
  std::uint32_t tensor_id = 0;  // noise stream of this tensor; set by models::assign_tensor_ids
  bool trainable = false;       // perturbed and updated
  bool nested = false;          // bitsandbytes: the file has the scales in 8 bits; no field of it can take the masters
  io::ScaleField scale_field;   // where the scales stand in the file; empty if nested
  std::optional<io::ScaleField> minimum_field;  // none: no minimum, or the file has its zero point instead (HQQ)
  // The same fields in the mapped file: value i begins at i * stride of the field. Null: dense, no minimum.
  core::Dtype scale_dtype = core::Dtype::kF16;
  const std::byte* file_scales = nullptr;
  const std::byte* file_minimum = nullptr;

  kernels::ChunkPlan chunks;                 // order of the inputs in products with late scales; empty: dense
  std::vector<std::byte> owned_codes;        // dense, transposed at load; empty: codes are the file's
  std::vector<std::uint8_t> owned_zeros;     // zero points unpacked [groups, out]; empty: all are codes.zero
  std::vector<std::int32_t> owned_group_of;  // desc_act
  std::vector<float> owned_table;            // bitsandbytes [16]
  std::int64_t ambiguous_zeros = 0;          // GPTQ v1: stored 15, read as a true zero of 0 (formats/gptq.h says why)

  [[nodiscard]] bool quantized() const { return !scales.empty(); }
};

// Reused memory for the scales of one layer.
struct ScaleBuffers {
  std::vector<float> plus, minus, plus_offsets, minus_offsets;
  // For each group of the kernel, where groups_per_master is not 1.
  std::vector<float> plus_groups, minus_groups, plus_group_offsets, minus_group_offsets;
};

// Which scales a forward pass sees.
struct ScaleMode {
  const kernels::Probe* probe = nullptr;  // null: the masters
  bool rounded = false;  // masters rounded to the checkpoint's own type: what an exported model computes with
};

struct EffectiveScales {
  kernels::ScaleView plus;  // also the only one without a probe
  kernels::ScaleView minus;
};

// s+ and s- (or the masters, or the rounded masters) of one weight. Views point into `buffers` or the masters; valid
// until the next call with the same buffers. Parallel inside. A weight that is not trainable ignores the probe.
EffectiveScales effective_scales(const PackedWeight& weight, const ScaleMode& mode, ScaleBuffers& buffers);

// Against the file's own values, over the groups that were written differently.
struct RoundingCount {
  std::int64_t became_zero = 0, became_subnormal = 0, changed_sign = 0;
};

// What an exported file holds for one group, and what a forward pass in rounded mode computes with: both come from
// here.
//   scale    the master rounded to the file's dtype, nearest even
//   minimum  Q4_1: the file's own m where the rounded scale equals the file's d (so that an untouched group keeps its
//            bytes) or the minimum is fixed; otherwise master * (m/d), rounded. HQQ: -zero of the file * scale
struct ExportedGroup {
  float scale = 0;
  float minimum = 0;
};
ExportedGroup exported_group(const PackedWeight& weight, std::int64_t index);

// The rewritten scale (and minimum) fields; none for a dense weight or a nested one. `count` is added to. GuardError if
// a master left the range of the file's dtype: a checkpoint with infinities is never written.
std::vector<io::FieldWrite> scale_writes(const PackedWeight& weight, RoundingCount* count = nullptr);

// All that exporting these weights of a checkpoint changes: their fields, and for nested ones what
// formats/bitsandbytes.h says (logged).
io::ExportChanges export_changes(const io::Checkpoint& checkpoint, std::span<const PackedWeight* const> weights,
                                 RoundingCount* count = nullptr);

}  // namespace qzo::quant
