#pragma once
// Llama (arXiv 2302.13971; grouped-query attention as in Llama 2 and 3): RMSNorm before each block, rotary embedding,
// SwiGLU. T tokens, S signs (1 or 2), C hidden width.

#include <memory>
#include <vector>

#include "qzo/nn/frozen_weight.h"

#include "models/llama/llama_weights.h"

namespace qzo::models {

std::unique_ptr<CausalLm> load_llama(const io::Checkpoint& checkpoint, const ModelLoadOptions& options);
ModelSummary llama_summary(const io::Checkpoint& checkpoint);

class Llama final : public CausalLm {
 public:
  Llama(LlamaConfig config, LlamaWeights weights);

  [[nodiscard]] const ModelSummary& summary() const override { return summary_; }
  at::Tensor forward(const PackedBatch& batch, const ForwardContext& context) override;
  at::Tensor logits(const at::Tensor& hidden, const ForwardContext& context) override;
  at::Tensor token_logits(const at::Tensor& hidden, std::span<const std::int32_t> tokens,
                          const ForwardContext& context) override;
  std::vector<float> log_probabilities(const at::Tensor& hidden, std::span<const std::int32_t> targets,
                                       const ForwardContext& context) override;
  std::vector<quant::PackedWeight*> weights() override;
  std::vector<quant::PackedWeight*> decoder_linears() override;

 private:
  struct Pass;
  enum class Rows { kAll, kScored };  // which rows leave a layer

  void check_batch(const PackedBatch& batch) const;
  void extend_rope(const PackedBatch& batch);
  std::size_t first_trained_layer();
  at::Tensor attend(const LlamaLayer& layer, const at::Tensor& x, const Pass& pass, Rows rows) const;
  at::Tensor run_layer(const LlamaLayer& layer, at::Tensor x, const Pass& pass, Rows rows) const;

  LlamaConfig config_;
  ModelSummary summary_;
  LlamaWeights weights_;
  nn::FrozenWeight embedding_;
  nn::FrozenWeight head_;
  std::vector<float> frequencies_;
  ops::RopeTable rope_;          // grows with the longest sequence seen
  quant::ScaleBuffers buffers_;  // of the layer being computed
};

}  // namespace qzo::models
