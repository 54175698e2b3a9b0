#pragma once
// A decoder whose weights are trained by gradients. It shares its weights with the CausalLm it was made of: what is
// trained here is what that one computes with, so evaluations need nothing else. fp32 throughout.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/core/dtype.h"
#include "qzo/models/causal_lm.h"
#include "qzo/models/packed_batch.h"

namespace qzo::models {

// LoRA (arXiv 2106.09685) on linears of the decoder layers: y = W x + alpha / rank B A x. A begins uniform in
// +-1 / sqrt(in), B zero, as PEFT's.
struct AdapterOptions {
  std::int64_t rank = 8;
  double alpha = 16;
  std::uint64_t seed = 0;
};

struct TrainableOptions {
  std::optional<AdapterOptions> adapters;  // none: the weights themselves, which must be dense
  core::Dtype dtype = core::Dtype::kF32;   // of what is trained: kF32 or kBF16; gradients are fp32
  // Globs: tensor names ("model.layers.0.mlp.up_proj.weight"), or with adapters stems of linears. One that matches
  // nothing is a UserError (keys for the message: method.include, method.exclude).
  std::vector<std::string> include = {"*"}, exclude;
  bool recompute = false;  // keep the inputs of the layers only and compute each layer again on the way back: same bits
};

struct TrainedTensor {
  std::string name;     // of the checkpoint's tensor, or of PEFT's ("base_model.model. ... .lora_A.weight")
  at::Tensor values;    // [shape], TrainableOptions::dtype, contiguous
  at::Tensor gradient;  // the same shape, fp32
  double offset = 0;    // what the model computes with is values + offset (Gemma's norms: 1)
  // Of q and k in GGUF files, and the second matrices of their adapters: so many heads whose rows 2i and 2i + 1 are
  // what Hugging Face has as rows i and i + half of the head. 0: rows as Hugging Face has them.
  std::int64_t interleaved_heads = 0;
};

class TrainableLm {
 public:
  virtual ~TrainableLm() = default;
  // In a fixed order; the memory stays where it is.
  virtual std::vector<TrainedTensor>& tensors() = 0;
  // Scale of the adapters; 0: there are none.
  [[nodiscard]] virtual double adapter_scale() const = 0;
  // Adds the gradient of loss(logits of the scored rows [scored, vocabulary]), a scalar, to those of all tensors.
  // Returns the loss.
  virtual double add_gradients(const PackedBatch& batch, const std::function<at::Tensor(const at::Tensor&)>& loss) = 0;
  // Values were changed: what the CausalLm holds apart (norms, biases) follows.
  virtual void changed() = 0;
};

// `model` must outlive the result. UserError for what cannot be trained so: families with learned positions or
// projections, quantized weights without adapters, a tied head that is stored apart.
std::unique_ptr<TrainableLm> make_trainable(CausalLm& model, const TrainableOptions& options);

// What training costs in memory beside the weights: floats that the backward pass keeps for each row of a batch in one
// layer (`recompute`: of one layer at a time, and the input of every other).
struct ActivationFloats {
  std::int64_t per_row = 0;      // times the layers, or once if recomputed
  std::int64_t layer_input = 0;  // per row and layer
};
ActivationFloats activation_floats(const ModelSummary& model);

}  // namespace qzo::models
