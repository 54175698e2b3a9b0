#include "models/llama/llama.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/models/visibility.h"
#include "qzo/ops/linear.h"
#include "qzo/ops/transformer.h"

namespace qzo::models {
namespace {

ModelSummary summary_of(const LlamaConfig& config, bool tied) {
  return {.family = "llama",
          .layers = config.layers,
          .hidden = config.hidden,
          .intermediate = config.intermediate,
          .heads = config.heads,
          .kv_heads = config.kv_heads,
          .head_dim = config.head_dim,
          .vocabulary = config.vocabulary,
          .max_positions = config.max_positions,
          .tied_head = tied};
}

}  // namespace

// What the layers of one forward call share.
struct Llama::Pass {
  const PackedBatch& batch;
  nn::Walk walk;
  std::vector<std::vector<kernels::RowRange>> visible;  // [T]
  std::vector<std::int32_t> scored_positions;
  std::vector<std::int64_t> scored_rows;  // [S * scored]: rows of [S * T, C]

  Pass(const PackedBatch& batch_, nn::Walk walk_) : batch(batch_), walk(walk_), visible(visible_ranges(batch_)) {
    for (std::int64_t sign = 0; sign < walk.signs; ++sign) {
      for (const std::int64_t row : batch.scored) scored_rows.push_back(sign * batch.rows() + row);
    }
    for (const std::int64_t row : batch.scored)
      scored_positions.push_back(batch.positions[static_cast<std::size_t>(row)]);
  }
  at::Tensor only_scored(const at::Tensor& x) const { return ops::select_rows(x, scored_rows); }
};

Llama::Llama(LlamaConfig config, LlamaWeights weights)
    : config_(std::move(config)),
      summary_(summary_of(config_, !weights.head)),
      weights_(std::move(weights)),
      embedding_(weights_.embedding),
      head_(weights_.head ? *weights_.head : weights_.embedding),
      frequencies_(nn::inverse_frequencies(config_.rope, config_.head_dim)) {}

void Llama::check_batch(const PackedBatch& batch) const {
  QZO_CHECK(batch.tokens.size() == batch.positions.size(), batch.tokens.size(), " tokens, ", batch.positions.size(),
            " positions");
  for (const std::int32_t token : batch.tokens) {
    if (token >= 0 && token < config_.vocabulary) continue;
    throw core::UserError(core::text("token id ", token, " is outside of the model's vocabulary of ",
                                     config_.vocabulary, " tokens: expected the tokenizer that belongs to the model"));
  }
  for (const std::int64_t row : batch.scored)
    QZO_CHECK(row >= 0 && row < batch.rows(), "scored row ", row, " of ", batch.rows());
}

// Sequences longer than the model was trained for are computed all the same, as transformers does.
void Llama::extend_rope(const PackedBatch& batch) {
  const auto needed = static_cast<std::uint64_t>(*std::ranges::max_element(batch.positions)) + 1;
  if (static_cast<std::int64_t>(needed) <= rope_.positions) return;
  rope_ = nn::rope_table(frequencies_, static_cast<std::int64_t>(std::bit_ceil(std::max<std::uint64_t>(needed, 256))));
}

// A probe reaches the hidden states at the first layer with a trained weight.
std::size_t Llama::first_trained_layer() {
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    const auto linears = linears_of(weights_.layers[i]);
    if (std::ranges::any_of(linears, [](const nn::Linear* linear) { return linear->weight.trainable; })) return i;
  }
  return weights_.layers.size();
}

// Keys and values of all rows; queries of the rows that leave the layer.
at::Tensor Llama::attend(const LlamaLayer& layer, const at::Tensor& x, const Pass& pass, Rows rows) const {
  const ops::LinearInput normed = ops::rms_norm(x, layer.attention_norm, config_.norm_eps);
  at::Tensor k = nn::apply(layer.k, normed, pass.walk);
  const at::Tensor v = nn::apply(layer.v, normed, pass.walk);
  at::Tensor q = nn::apply(layer.q, rows == Rows::kAll ? normed : pass.only_scored(normed.x()), pass.walk);
  ops::rope_(k, config_.kv_heads, config_.head_dim, pass.batch.positions, rope_, config_.pairing);
  ops::rope_(q, config_.heads, config_.head_dim, rows == Rows::kAll ? pass.batch.positions : pass.scored_positions,
             rope_, config_.pairing);
  const std::span<const std::int64_t> query_rows =
      rows == Rows::kAll ? std::span<const std::int64_t>{} : std::span<const std::int64_t>(pass.batch.scored);
  const at::Tensor mixed = ops::attention(q, k, v, pass.visible, query_rows, pass.walk.signs, config_.heads,
                                          config_.kv_heads, config_.head_dim);
  return nn::apply(layer.o, mixed, pass.walk);
}

at::Tensor Llama::run_layer(const LlamaLayer& layer, at::Tensor x, const Pass& pass, Rows rows) const {
  const at::Tensor attention = attend(layer, x, pass, rows);
  if (rows == Rows::kScored) x = pass.only_scored(x);
  ops::add_(x, attention);
  const ops::LinearInput normed = ops::rms_norm(x, layer.mlp_norm, config_.norm_eps);
  at::Tensor gate = nn::apply(layer.gate, normed, pass.walk);
  ops::swiglu_(gate, nn::apply(layer.up, normed, pass.walk));
  ops::add_(x, nn::apply(layer.down, gate, pass.walk));
  return x;
}

at::Tensor Llama::forward(const PackedBatch& batch, const ForwardContext& context) {
  check_batch(batch);
  if (batch.scored.empty()) return at::empty({0, config_.hidden}, at::kFloat);
  extend_rope(batch);
  at::Tensor x = ops::dequantized_rows(embedding_.codes(), embedding_.scales(), batch.tokens);
  std::size_t layer = 0;
  if (context.signs() == 2) {
    // Below the first trained layer both signs have the same hidden states: computed once, the same bits. The last
    // layer belongs to the walk of both signs in any case.
    const std::size_t shared = std::min(first_trained_layer(), weights_.layers.size() - 1);
    const Pass below(batch, {.scales = {}, .precision = context.precision, .signs = 1, .buffers = buffers_});
    for (; layer < shared; ++layer) x = run_layer(weights_.layers[layer], std::move(x), below, Rows::kAll);
    x = ops::for_both_signs(x);
  }
  const Pass pass(
      batch, {.scales = context.scales, .precision = context.precision, .signs = context.signs(), .buffers = buffers_});
  for (; layer < weights_.layers.size(); ++layer) {
    // Behind the last layer's keys and values only the scored rows matter: the same bits, less work.
    const bool last = layer + 1 == weights_.layers.size();
    x = run_layer(weights_.layers[layer], std::move(x), pass, last ? Rows::kScored : Rows::kAll);
  }
  return ops::rms_norm(x, weights_.final_norm, config_.norm_eps);
}

at::Tensor Llama::logits(const at::Tensor& hidden, const ForwardContext&) { return nn::logits(head_, hidden); }

at::Tensor Llama::token_logits(const at::Tensor& hidden, std::span<const std::int32_t> tokens, const ForwardContext&) {
  return nn::token_logits(head_, hidden, tokens);
}

std::vector<float> Llama::log_probabilities(const at::Tensor& hidden, std::span<const std::int32_t> targets,
                                            const ForwardContext&) {
  return nn::log_probabilities(head_, hidden, targets);
}

std::vector<quant::PackedWeight*> Llama::weights() {
  std::vector<quant::PackedWeight*> all = {&weights_.embedding};
  for (LlamaLayer& layer : weights_.layers) {
    for (nn::Linear* linear : linears_of(layer)) all.push_back(&linear->weight);
  }
  if (weights_.head) all.push_back(&*weights_.head);
  return all;
}

std::vector<quant::PackedWeight*> Llama::decoder_linears() {
  std::vector<quant::PackedWeight*> linears;
  for (LlamaLayer& layer : weights_.layers) {
    for (nn::Linear* linear : linears_of(layer)) {
      if (linear->weight.quantized()) linears.push_back(&linear->weight);
    }
  }
  return linears;
}

std::unique_ptr<CausalLm> load_llama(const io::Checkpoint& checkpoint, const ModelLoadOptions& options) {
  LlamaConfig config = read_llama_config(checkpoint);
  LlamaWeights weights = load_llama_weights(checkpoint, config, options);
  return std::make_unique<Llama>(std::move(config), std::move(weights));
}

ModelSummary llama_summary(const io::Checkpoint& checkpoint) {
  const LlamaConfig config = read_llama_config(checkpoint);
  return summary_of(config, !has_own_head(checkpoint, config));
}

}  // namespace qzo::models
