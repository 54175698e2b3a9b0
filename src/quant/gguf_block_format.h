#pragma once
// What the weights in GGUF blocks have in common: STEM.weight [out, in] of one block type, scales (and minima) as
// halves inside the blocks.

#include <string>

#include "qzo/quant/format.h"

namespace qzo::quant {

struct GgufBlockType {
  core::Dtype dtype;
  const char* name;
  kernels::Layout layout;
  std::int64_t weights;  // of a block, under one d
  std::int64_t group;    // of them, under one effective scale
  std::uint64_t d_offset;
  const char* minimum_letter;  // in messages, of the layouts that have one; it stands 2 bytes into a block
};

class GgufBlockFormat : public Format {
 public:
  explicit GgufBlockFormat(const GgufBlockType& type) : type_(type) {}

  std::string name() const override { return type_.name; }
  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override;
  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request,
                    const LoadOptions& options) const override;
  std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                           const io::TensorEntry& entry) const override;

 protected:
  bool has_minimum() const { return kernels::has_offsets(type_.layout); }

  GgufBlockType type_;
};

}  // namespace qzo::quant
