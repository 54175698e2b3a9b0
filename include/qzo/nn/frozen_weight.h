#pragma once
// Weights that no probe touches: embedding and head, with the values of the file.

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/quant/packed_weight.h"

namespace qzo::nn {

// Looks at `weight`, which must outlive it and not move.
class FrozenWeight {
 public:
  explicit FrozenWeight(const quant::PackedWeight& weight);
  FrozenWeight(const FrozenWeight&) = delete;
  FrozenWeight& operator=(const FrozenWeight&) = delete;

  [[nodiscard]] std::int64_t rows() const { return weight_.codes.out; }
  [[nodiscard]] const kernels::CodeView& codes() const { return weight_.codes; }
  [[nodiscard]] const kernels::ScaleView& scales() const { return scales_; }

 private:
  const quant::PackedWeight& weight_;
  quant::ScaleBuffers buffers_;
  kernels::ScaleView scales_;
};

// x [R, in] -> [R, out], fp32.
at::Tensor apply(const FrozenWeight& weight, const at::Tensor& x);

// Logits of hidden states, fp32 whatever the precision of the layers. V tokens, C width, R rows. cap > 0: capped
// softly, cap * tanh(logit / cap).
// hidden [R, C] -> [R, V].
at::Tensor logits(const FrozenWeight& head, const at::Tensor& hidden, float cap = 0);
// [R, tokens.size()]: the same bits as these columns of logits().
at::Tensor token_logits(const FrozenWeight& head, const at::Tensor& hidden, std::span<const std::int32_t> tokens,
                        float cap = 0);
// log softmax of logits() at target[r]: R numbers. Full logits exist for a few rows at a time only (16 MiB).
std::vector<float> log_probabilities(const FrozenWeight& head, const at::Tensor& hidden,
                                     std::span<const std::int32_t> targets, float cap = 0);

}  // namespace qzo::nn
