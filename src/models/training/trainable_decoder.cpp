// Gradients of a decoder. The graph is cut at the input of every layer: a layer goes back by itself, either from what
// it kept or from what it computes again.

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/models/trainable_lm.h"

#include "models/training/forward.h"

namespace qzo::models {
namespace {

at::Tensor leaf(const at::Tensor& x) { return x.detach().requires_grad_(true); }

class TrainableDecoder final : public TrainableLm {
 public:
  TrainableDecoder(Decoder& decoder, const TrainableOptions& options)
      : spec_(decoder.spec()), weights_(decoder), forward_(decoder, weights_), options_(options) {
    weights_.train(options);
  }

  std::vector<TrainedTensor>& tensors() override { return weights_.tensors(); }
  [[nodiscard]] double adapter_scale() const override {
    return options_.adapters ? options_.adapters->alpha / static_cast<double>(options_.adapters->rank) : 0;
  }
  void changed() override { weights_.write_back(); }

  double add_gradients(const PackedBatch& batch, const std::function<at::Tensor(const at::Tensor&)>& loss) override {
    const c10::AutoGradMode gradients(true);
    QZO_CHECK(!batch.scored.empty(), "nothing is scored");
    const TensorForward::Batch pass = forward_.prepare(batch);
    weights_.refresh();
    std::vector<at::Tensor> inputs, outputs;
    at::Tensor x = forward_.embed(batch, at::kFloat);
    for (std::size_t i = 0; i < weights_.layers().size(); ++i) {
      inputs.push_back(leaf(x));
      const c10::AutoGradMode keep(!options_.recompute);
      outputs.push_back(forward_.run_layer(i, inputs.back(), pass));
      x = outputs.back();
      if (options_.recompute) outputs.back().reset();
    }
    const at::Tensor scored = index_tensor(batch.scored);
    const at::Tensor hidden = leaf(x.index_select(0, scored));
    const at::Tensor value = loss(forward_.logits(hidden));
    value.backward();
    at::Tensor gradient = at::zeros(x.sizes(), at::kFloat).index_add_(0, scored, hidden.grad());
    for (std::size_t i = inputs.size(); i-- > 0;) {
      at::Tensor output = options_.recompute ? forward_.run_layer(i, inputs[i], pass) : outputs[i];
      output.backward(gradient);
      gradient = inputs[i].grad();
      outputs[i].reset();
      inputs[i].reset();
    }
    if (const at::Tensor& table = weights_.embedding().gradient; table.defined()) {
      std::vector<std::int64_t> rows(batch.tokens.begin(), batch.tokens.end());
      at::Tensor(table).index_add_(0, index_tensor(rows), gradient, double{spec_.embedding_scale});
    }
    weights_.collect();
    return value.item<double>();
  }

 private:
  const DecoderSpec& spec_;
  TrainingWeights weights_;
  TensorForward forward_;
  TrainableOptions options_;
};

}  // namespace

std::unique_ptr<TrainableLm> make_trainable(CausalLm& model, const TrainableOptions& options) {
  auto* decoder = dynamic_cast<Decoder*>(&model);
  QZO_CHECK(decoder != nullptr, "family ", model.summary().family);
  const DecoderSpec& spec = decoder->spec();
  require_tensor_forward(spec, "trained by gradients");
  if (!options.adapters) {
    if (spec.gguf) {
      throw core::UserError(
          "a GGUF file cannot be trained in full yet: give a dense Hugging Face folder, or set method.adapter to "
          "\"lora\"");
    }
    if (spec.says_tied && decoder->parts().head) {
      throw core::UserError(
          "config.json says tie_word_embeddings = true, but a head of its own is stored: training would move them "
          "apart and other programs would not see it. Set tie_word_embeddings to what is right, or remove the tensor");
    }
  }
  return std::make_unique<TrainableDecoder>(*decoder, options);
}

ActivationFloats activation_floats(const ModelSummary& model) {
  const std::int64_t query = model.heads * model.head_dim, key = model.kv_heads * model.head_dim;
  // Two norms (x, its square, x / rms, result), q and k before and behind the rotation, v, mixed values, gate, its
  // activation, up, their product, and both sums.
  return {.per_row = 10 * model.hidden + 4 * query + 4 * key + 4 * model.intermediate, .layer_input = model.hidden};
}

}  // namespace qzo::models
