#pragma once
// The forward pass of every decoder-only transformer here: attention and feed-forward blocks on a residual stream, as
// the specification says. T tokens, S signs (1 or 2), C hidden width.

#include <memory>
#include <optional>
#include <vector>

#include "qzo/models/layer_walk.h"
#include "qzo/nn/frozen_weight.h"
#include "qzo/nn/rope.h"

#include "models/decoder/weights.h"

namespace qzo::models {

std::unique_ptr<CausalLm> load_decoder(const io::Checkpoint& checkpoint, DecoderSpec spec,
                                       const ModelLoadOptions& options);
ModelSummary decoder_summary(const io::Checkpoint& checkpoint, const DecoderSpec& spec);

class Decoder final : public CausalLm, public LayerWalk {
 public:
  Decoder(DecoderSpec spec, DecoderWeights weights);

  [[nodiscard]] const ModelSummary& summary() const override { return summary_; }
  at::Tensor forward(const PackedBatch& batch, const ForwardContext& context) override;
  at::Tensor logits(const at::Tensor& hidden, const ForwardContext& context) override;
  at::Tensor token_logits(const at::Tensor& hidden, std::span<const std::int32_t> tokens,
                          const ForwardContext& context) override;
  std::vector<float> log_probabilities(const at::Tensor& hidden, std::span<const std::int32_t> targets,
                                       const ForwardContext& context) override;
  std::vector<quant::PackedWeight*> weights() override;
  std::vector<quant::PackedWeight*> decoder_linears() override;

  std::vector<Block> blocks() override;
  at::Tensor embed(const PackedBatch& batch) override;
  at::Tensor entrance(std::size_t block, const at::Tensor& x) override;
  at::Tensor inner(std::size_t block, const at::Tensor& x, const PackedBatch& batch) override;
  at::Tensor advance(std::size_t block, at::Tensor x, const PackedBatch& batch) override;

  // For training by gradients (models/training): what the forward pass is made of.
  [[nodiscard]] const DecoderSpec& spec() const { return spec_; }
  DecoderWeights& parts() { return weights_; }
  std::vector<nn::Rope>& ropes() { return ropes_; }

 private:
  struct Pass;
  struct Projected;
  enum class Rows { kAll, kScored };  // which rows leave a layer

  void check_batch(const PackedBatch& batch) const;
  std::size_t first_trained_layer();
  at::Tensor embedded(const PackedBatch& batch) const;
  Projected project(const DecoderLayer& layer, const ops::LinearInput& x, const Pass& pass, Rows rows) const;
  // What the last linear of a block is applied to.
  at::Tensor attend(std::size_t index, const ops::LinearInput& x, const Pass& pass, Rows rows) const;
  at::Tensor feed_forward(const DecoderLayer& layer, const ops::LinearInput& x, const Pass& pass) const;
  // Around a block f: what enters it, and the residual stream behind it.
  at::Tensor enter(const nn::Norm& norm, const at::Tensor& x) const;
  at::Tensor leave(const nn::Norm& norm, const nn::Norm& out_norm, at::Tensor x, const at::Tensor& result) const;
  at::Tensor run_attention(std::size_t index, at::Tensor x, const Pass& pass, Rows rows) const;
  at::Tensor run_feed_forward(std::size_t index, at::Tensor x, const Pass& pass) const;
  at::Tensor run_layer(std::size_t index, at::Tensor x, const Pass& pass, Rows rows) const;
  nn::Walk plain_walk();  // on the weights as they are

  DecoderSpec spec_;
  ModelSummary summary_;
  DecoderWeights weights_;
  nn::FrozenWeight embedding_;
  nn::FrozenWeight head_;
  std::optional<nn::FrozenWeight> positions_, project_in_, project_out_;
  std::vector<nn::Rope> ropes_;  // their tables grow with the longest sequence seen
  quant::ScaleBuffers buffers_;  // of the layer being computed
};

}  // namespace qzo::models
