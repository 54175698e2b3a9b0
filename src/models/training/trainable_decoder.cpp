// The forward pass of Decoder once more, in operations that LibTorch differentiates. The graph is cut at the input of
// every layer: a layer goes back by itself, either from what it kept or from what it computes again.

#include <algorithm>
#include <map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/models/trainable_lm.h"
#include "qzo/models/visibility.h"
#include "qzo/ops/linear.h"

#include "models/training/attention.h"
#include "models/training/weights.h"

namespace qzo::models {
namespace {

using core::text;

at::Tensor leaf(const at::Tensor& x) { return x.detach().requires_grad_(true); }

at::Tensor activated(kernels::Activation f, const at::Tensor& x) {
  switch (f) {
    case kernels::Activation::kSilu:
      return at::silu(x);
    case kernels::Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case kernels::Activation::kGelu:
      return at::gelu(x);
    case kernels::Activation::kRelu:
      return at::relu(x);
  }
  QZO_CHECK(false, "activation ", static_cast<int>(f));
}

at::Tensor index_tensor(std::span<const std::int64_t> values) {
  return at::tensor(at::ArrayRef<std::int64_t>(values.data(), values.size()), at::kLong);
}

class TrainableDecoder final : public TrainableLm {
 public:
  TrainableDecoder(Decoder& decoder, const TrainableOptions& options)
      : decoder_(decoder), spec_(decoder.spec()), weights_(decoder, options), options_(options) {}

  std::vector<TrainedTensor>& tensors() override { return weights_.tensors(); }
  [[nodiscard]] double adapter_scale() const override {
    return options_.adapters ? options_.adapters->alpha / static_cast<double>(options_.adapters->rank) : 0;
  }
  void changed() override { weights_.write_back(); }

  double add_gradients(const PackedBatch& batch, const std::function<at::Tensor(const at::Tensor&)>& loss) override {
    const c10::AutoGradMode gradients(true);
    QZO_CHECK(!batch.scored.empty(), "nothing is scored");
    const Batch pass = prepare(batch);
    weights_.refresh();
    std::vector<at::Tensor> inputs, outputs;
    at::Tensor x = embed(batch);
    for (std::size_t i = 0; i < weights_.layers().size(); ++i) {
      inputs.push_back(leaf(x));
      const c10::AutoGradMode keep(!options_.recompute);
      outputs.push_back(run_layer(i, inputs.back(), pass));
      x = outputs.back();
      if (options_.recompute) outputs.back().reset();
    }
    const at::Tensor scored = index_tensor(batch.scored);
    const at::Tensor hidden = leaf(x.index_select(0, scored));
    const at::Tensor value = loss(logits(hidden));
    value.backward();
    at::Tensor gradient = at::zeros(x.sizes(), at::kFloat).index_add_(0, scored, hidden.grad());
    for (std::size_t i = inputs.size(); i-- > 0;) {
      at::Tensor output = options_.recompute ? run_layer(i, inputs[i], pass) : outputs[i];
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
  // What the layers of one pass share.
  struct Batch {
    std::vector<RotationRows> rotations;                         // by LayerSpec::rope
    std::map<std::int64_t, std::vector<AttentionBlock>> blocks;  // by window
  };

  Batch prepare(const PackedBatch& batch) {
    Batch out;
    const std::int64_t longest = *std::ranges::max_element(batch.positions) + std::int64_t{1};
    for (nn::Rope& rope : decoder_.ropes())
      out.rotations.push_back(rotation_rows(rope.table(longest), batch.positions));
    for (const LayerSpec& layer : spec_.layer) {
      if (!out.blocks.contains(layer.window))
        out.blocks[layer.window] = attention_blocks(visible_ranges(batch, layer.window));
    }
    return out;
  }

  at::Tensor embed(const PackedBatch& batch) const {
    const ops::GradientWeight& table = weights_.embedding();
    const at::Tensor rows = ops::dequantized_rows(table.codes, table.scales, batch.tokens);
    return rows * double{spec_.embedding_scale};
  }

  at::Tensor logits(const at::Tensor& hidden) const {
    const at::Tensor normed = spec_.final_norm ? weights_.final_norm().apply(hidden) : hidden;
    const at::Tensor out = weights_.head().apply(normed);
    if (spec_.logit_cap == 0) return out;
    const double cap{spec_.logit_cap};
    return at::tanh(out / cap) * cap;
  }

  at::Tensor attend(std::size_t index, const at::Tensor& x, const Batch& pass) {
    const TrainedLayer& layer = weights_.layers()[index];
    const LayerSpec& kind = spec_.layer[index];
    at::Tensor q, k, v;
    if (layer.qkv.size() == 1) {
      const std::vector<at::Tensor> parts =
          at::split_with_sizes(layer.qkv[0].apply(x), {spec_.query_width(), spec_.key_width(), spec_.key_width()}, 1);
      q = parts[0].contiguous();
      k = parts[1].contiguous();
      v = parts[2].contiguous();
    } else {
      q = layer.qkv[0].apply(x);
      k = layer.qkv[1].apply(x);
      v = layer.qkv[2].apply(x);
    }
    if (layer.query_norm.norm != nullptr) {
      q = layer.query_norm.apply(q);
      k = layer.key_norm.apply(k);
    }
    if (!pass.rotations.empty()) {
      q = rotated(q, spec_.heads, pass.rotations[kind.rope], spec_.pairing);
      k = rotated(k, spec_.kv_heads, pass.rotations[kind.rope], spec_.pairing);
    }
    return layer.attention_out.apply(attended(q, k, v, pass.blocks.at(kind.window), spec_));
  }

  at::Tensor feed_forward(const TrainedLayer& layer, const at::Tensor& x) const {
    at::Tensor inner = layer.mlp_in[0].apply(x);
    if (!spec_.gated) {
      inner = activated(spec_.activation, inner);
    } else if (layer.mlp_in.size() == 1) {
      const std::vector<at::Tensor> parts = at::split_with_sizes(inner, {spec_.intermediate, spec_.intermediate}, 1);
      inner = activated(spec_.activation, parts[0]) * parts[1];
    } else {
      inner = activated(spec_.activation, inner) * layer.mlp_in[1].apply(x);
    }
    return layer.down.apply(inner);
  }

  // A block f around the residual stream, as the specification places its norms.
  template <class Block>
  at::Tensor around(const TrainedNorm& norm, const TrainedNorm& out_norm, const at::Tensor& x, const Block& f) const {
    switch (spec_.placement) {
      case NormPlacement::kBefore:
        return x + f(norm.apply(x));
      case NormPlacement::kAfter:
        return norm.apply(x + f(x));
      case NormPlacement::kAround:
        return x + out_norm.apply(f(norm.apply(x)));
    }
    QZO_CHECK(false, "placement ", static_cast<int>(spec_.placement));
  }

  at::Tensor run_layer(std::size_t index, const at::Tensor& x, const Batch& pass) {
    const TrainedLayer& layer = weights_.layers()[index];
    const at::Tensor mixed = around(layer.attention_norm, layer.attention_out_norm, x,
                                    [&](const at::Tensor& in) { return attend(index, in, pass); });
    return around(layer.mlp_norm, layer.mlp_out_norm, mixed,
                  [&](const at::Tensor& in) { return feed_forward(layer, in); });
  }

  Decoder& decoder_;
  const DecoderSpec& spec_;
  TrainingWeights weights_;
  TrainableOptions options_;
};

}  // namespace

std::unique_ptr<TrainableLm> make_trainable(CausalLm& model, const TrainableOptions& options) {
  auto* decoder = dynamic_cast<Decoder*>(&model);
  QZO_CHECK(decoder != nullptr, "family ", model.summary().family);
  const DecoderSpec& spec = decoder->spec();
  if (spec.learned_positions > 0 || spec.embedding_width != spec.hidden || spec.transposed) {
    throw core::UserError(text("model family ", core::quoted(spec.family),
                               " (learned positions, projections or transposed matrices) cannot be trained by "
                               "gradients yet; built are llama, mistral, qwen2, qwen3, phi3, gemma2 and gemma3"));
  }
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
