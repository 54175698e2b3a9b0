#pragma once
// A weight format: one file in quant/formats each, registered in format_registry.cpp.

#include <memory>
#include <string>
#include <vector>

#include "qzo/io/checkpoint.h"
#include "qzo/quant/packed_weight.h"

namespace qzo::quant {

enum class ZeroVersion { kAuto, kV1, kV2 };  // GPTQ: stored zero - 1 (v1) or the zero itself (v2)

struct LoadOptions {
  MinimumRule minimum_rule = MinimumRule::kTied;
  ZeroVersion gptq_zero_version = ZeroVersion::kAuto;
};

struct WeightRequest {
  std::string name;  // stem without ".weight" / ".qweight"
  std::int64_t out = 0;
  std::int64_t in = 0;
  bool transposed = false;  // a dense matrix is stored as [in, out] (GPT-2's Conv1D)
};

class Format {
 public:
  virtual ~Format() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  // By the tensors that are there, not by labels.
  [[nodiscard]] virtual bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const = 0;
  // UserError naming file and tensor for anything inconsistent (dtype, shape, group index, NaN or infinite scale).
  [[nodiscard]] virtual PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request,
                                          const LoadOptions& options) const = 0;
  // The scale (and minimum) fields inside `entry` of the checkpoint; none if it holds no scales of this format.
  [[nodiscard]] virtual std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                                                 const io::TensorEntry& entry) const = 0;
};

const std::vector<std::unique_ptr<Format>>& formats();

// The one format that matches; UserError listing the tensors found (and naming the quantizer that wrote them, where it
// is known) if none or several do. `checkpoint` must outlive the result (codes stay mapped).
PackedWeight load_weight(const io::Checkpoint& checkpoint, const WeightRequest& request, const LoadOptions& options);

// Throws UserError for checkpoints whose quantization settings name a method, bit width or layout that is not built.
void check_quantization_settings(const io::Checkpoint& checkpoint);

// Every scale field of every tensor in the checkpoint that a format recognises, trained or not (for diff).
std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint);

}  // namespace qzo::quant
