#pragma once
// The forward pass of Decoder once more, in operations of LibTorch: in fp32, where autograd can go back through them,
// or in double. The type of the hidden states decides.

#include <cstdint>
#include <map>
#include <vector>

#include <ATen/core/Tensor.h>

#include "models/training/attention.h"
#include "models/training/weights.h"

namespace qzo::models {

class TensorForward {
 public:
  // What the layers of one pass share.
  struct Batch {
    std::vector<RotationRows> rotations;                         // by LayerSpec::rope
    std::map<std::int64_t, std::vector<AttentionBlock>> blocks;  // by window
  };

  // Both must outlive it.
  TensorForward(Decoder& decoder, TrainingWeights& weights)
      : decoder_(decoder), spec_(decoder.spec()), weights_(weights) {}

  Batch prepare(const PackedBatch& batch);
  // [T, C] of the type asked for.
  [[nodiscard]] at::Tensor embed(const PackedBatch& batch, at::ScalarType type) const;
  at::Tensor run_layer(std::size_t index, const at::Tensor& x, const Batch& pass);
  // hidden [R, C] -> [R, vocabulary]
  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) const;

 private:
  at::Tensor attend(std::size_t index, const at::Tensor& x, const Batch& pass);
  [[nodiscard]] at::Tensor feed_forward(const TrainedLayer& layer, const at::Tensor& x) const;

  Decoder& decoder_;
  const DecoderSpec& spec_;
  TrainingWeights& weights_;
};

// What the forward pass is built for; otherwise a UserError that names the family and says `what` is impossible.
void require_tensor_forward(const DecoderSpec& spec, const char* what);

at::Tensor index_tensor(std::span<const std::int64_t> values);

}  // namespace qzo::models
