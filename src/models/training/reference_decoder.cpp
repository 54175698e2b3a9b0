#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "qzo/core/check.h"
#include "qzo/models/reference_lm.h"

#include "models/training/forward.h"

namespace qzo::models {
namespace {

class ReferenceDecoder final : public ReferenceLm {
 public:
  explicit ReferenceDecoder(Decoder& decoder) : weights_(decoder), forward_(decoder, weights_) {}

  at::Tensor logits(const PackedBatch& batch, const quant::ScaleMode& scales) override {
    const c10::AutoGradMode gradients(false);
    weights_.refresh();
    weights_.use_scales(scales);
    const TensorForward::Batch pass = forward_.prepare(batch);
    at::Tensor x = forward_.embed(batch, at::kDouble);
    for (std::size_t i = 0; i < weights_.layers().size(); ++i) x = forward_.run_layer(i, x, pass);
    return forward_.logits(x.index_select(0, index_tensor(batch.scored)));
  }

 private:
  TrainingWeights weights_;
  TensorForward forward_;
};

}  // namespace

std::unique_ptr<ReferenceLm> make_reference(CausalLm& model) {
  auto* decoder = dynamic_cast<Decoder*>(&model);
  QZO_CHECK(decoder != nullptr, "family ", model.summary().family);
  require_tensor_forward(decoder->spec(), "computed in double precision");
  return std::make_unique<ReferenceDecoder>(*decoder);
}

}  // namespace qzo::models
