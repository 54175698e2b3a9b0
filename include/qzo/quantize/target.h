#pragma once
// A format that dense weights are turned into: which tensors a weight becomes, and their contents. What the layouts
// look like is drawn in include/qzo/quant/formats.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/core/json_file.h"
#include "qzo/io/checkpoint.h"
#include "qzo/io/tensor_writer.h"

namespace qzo::quantize {

// One weight W [out, in].
struct WeightShape {
  std::string stem;  // "model.layers.0.self_attn.q_proj"
  std::int64_t out = 0, in = 0;
  bool transposed = false;  // the source has it as [in, out] (GPT-2's Conv1D)
};

struct Encoded {
  std::vector<std::vector<std::byte>> tensors;  // in the order of the plan
  at::Tensor values;                            // [out, in] fp32: what readers of these tensors compute
};

class Target {
 public:
  virtual ~Target() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual io::CheckpointKind kind() const = 0;  // of the checkpoints that it stands in
  [[nodiscard]] virtual bool can_calibrate() const = 0;
  // UserError naming the weight if its shape does not fit the format.
  [[nodiscard]] virtual std::vector<io::TensorPlan> plan(const WeightShape& shape) const = 0;
  // weight [out, in] fp32. hessian [in, in], or undefined: to nearest. UserError naming the weight if it has no place
  // in the range of the format.
  [[nodiscard]] virtual Encoded encode(const WeightShape& shape, const at::Tensor& weight,
                                       const at::Tensor& hessian) const = 0;
  // Hugging Face: config.json's quantization_config.
  [[nodiscard]] virtual core::Json settings() const = 0;
};

struct GptqOptions {
  int bits = 4;                   // 2, 3, 4 or 8
  std::int64_t group_size = 128;  // -1: one group per output
  bool symmetric = true;
  bool act_order = false;  // calibrated only
  double damp = 0.01;      // calibrated only
};
// gptq (v1), scales in half.
std::unique_ptr<Target> make_gptq_target(const GptqOptions& options);

// NF4 in blocks of 64, not nested.
std::unique_ptr<Target> make_nf4_target();

// kQ4_0 or kQ4_1.
std::unique_ptr<Target> make_gguf_target(core::Dtype dtype, double damp);

}  // namespace qzo::quantize
