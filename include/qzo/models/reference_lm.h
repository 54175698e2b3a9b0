#pragma once
// A decoder computed in double precision throughout, on the weights that the fp32 scales define: what faster forward
// passes are measured by. Tables of rotations are the model's own in fp32. Slow; shares its weights with the CausalLm
// it was made of.

#include <memory>

#include <ATen/core/Tensor.h>

#include "qzo/models/causal_lm.h"
#include "qzo/models/packed_batch.h"

namespace qzo::models {

class ReferenceLm {
 public:
  virtual ~ReferenceLm() = default;
  // Logits of the scored rows, [scored, vocabulary] double. A probe must ask for one sign.
  virtual at::Tensor logits(const PackedBatch& batch, const quant::ScaleMode& scales) = 0;
};

// `model` must outlive the result. UserError for families with learned positions or projections.
std::unique_ptr<ReferenceLm> make_reference(CausalLm& model);

}  // namespace qzo::models
