#include "models/decoder/decoder.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/ops/linear.h"
#include "qzo/ops/transformer.h"

#include "models/decoder/pass.h"

namespace qzo::models {
namespace {

ModelSummary summary_of(const DecoderSpec& spec, bool tied) {
  return {.family = spec.family,
          .layers = spec.layers,
          .hidden = spec.hidden,
          .intermediate = spec.intermediate,
          .heads = spec.heads,
          .kv_heads = spec.kv_heads,
          .head_dim = spec.head_dim,
          .vocabulary = spec.vocabulary,
          .max_positions = spec.max_positions,
          .tied_head = tied};
}

bool is_trained(const nn::Linear* linear) { return linear->weight.trainable; }

}  // namespace

Decoder::Decoder(DecoderSpec spec, DecoderWeights weights)
    : spec_(std::move(spec)),
      summary_(summary_of(spec_, !weights.head)),
      weights_(std::move(weights)),
      embedding_(weights_.embedding),
      head_(weights_.head ? *weights_.head : weights_.embedding) {
  if (weights_.positions) positions_.emplace(*weights_.positions);
  if (weights_.project_in) project_in_.emplace(*weights_.project_in);
  if (weights_.project_out) project_out_.emplace(*weights_.project_out);
  for (const nn::RopeSettings& rope : spec_.ropes) ropes_.emplace_back(rope);
}

void Decoder::check_batch(const PackedBatch& batch) const {
  QZO_CHECK(batch.tokens.size() == batch.positions.size(), batch.tokens.size(), " tokens, ", batch.positions.size(),
            " positions");
  for (const std::int32_t token : batch.tokens) {
    if (token >= 0 && token < spec_.vocabulary) continue;
    throw core::UserError(core::text("token id ", token, " is outside of the model's vocabulary of ", spec_.vocabulary,
                                     " tokens: expected the tokenizer that belongs to the model"));
  }
  for (const std::int64_t row : batch.scored)
    QZO_CHECK(row >= 0 && row < batch.rows(), "scored row ", row, " of ", batch.rows());
}

// A probe reaches the hidden states at the first layer with a trained weight.
std::size_t Decoder::first_trained_layer() {
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    if (std::ranges::any_of(linears_of(weights_.layers[i]), is_trained)) return i;
  }
  return weights_.layers.size();
}

at::Tensor Decoder::embedded(const PackedBatch& batch) const {
  at::Tensor x = ops::dequantized_rows(embedding_.codes(), embedding_.scales(), batch.tokens);
  if (spec_.embedding_scale != 1) ops::scale_(x, spec_.embedding_scale);
  if (project_in_) x = nn::apply(*project_in_, x);
  if (!positions_) return x;
  std::vector<std::int32_t> rows = batch.positions;
  for (std::int32_t& row : rows) {
    row += static_cast<std::int32_t>(spec_.position_offset);
    if (row < spec_.learned_positions) continue;
    throw core::UserError(core::text("a sequence of more than ", spec_.learned_positions - spec_.position_offset,
                                     " tokens does not fit the model's table of learned positions: expected shorter ",
                                     "examples (data.max_length)"));
  }
  ops::add_(x, ops::dequantized_rows(positions_->codes(), positions_->scales(), rows));
  return x;
}

struct Decoder::Projected {
  at::Tensor q, k, v;
};

// Keys and values of all rows; queries of the rows that leave the layer.
Decoder::Projected Decoder::project(const DecoderLayer& layer, const ops::LinearInput& x, const Pass& pass,
                                    Rows rows) const {
  if (layer.qkv.size() == 1) {
    const std::vector<at::Tensor> parts = ops::split_columns(
        nn::apply(layer.qkv[0], x, pass.walk), {{spec_.query_width(), spec_.key_width(), spec_.key_width()}});
    return {rows == Rows::kAll ? parts[0] : pass.only_scored(parts[0]), parts[1], parts[2]};
  }
  // Keys and values first: they prepare the rows of x that queries of all rows share.
  Projected out;
  out.k = nn::apply(layer.qkv[1], x, pass.walk);
  out.v = nn::apply(layer.qkv[2], x, pass.walk);
  out.q = nn::apply(layer.qkv[0], rows == Rows::kAll ? x : pass.only_scored(x.x()), pass.walk);
  return out;
}

at::Tensor Decoder::attend(std::size_t index, const ops::LinearInput& x, const Pass& pass, Rows rows) const {
  const DecoderLayer& layer = weights_.layers[index];
  const LayerSpec& kind = spec_.layer[index];
  auto [q, k, v] = project(layer, x, pass, rows);
  if (!layer.query_norm.weight.empty()) {
    q = nn::apply(layer.query_norm, q);
    k = nn::apply(layer.key_norm, k);
  }
  if (!ropes_.empty()) {
    const ops::RopeTable& table = *pass.ropes[kind.rope];
    ops::rope_(k, spec_.kv_heads, spec_.head_dim, pass.batch.positions, table, spec_.pairing);
    ops::rope_(q, spec_.heads, spec_.head_dim, rows == Rows::kAll ? pass.batch.positions : pass.scored_positions, table,
               spec_.pairing);
  }
  const std::span<const std::int64_t> query_rows =
      rows == Rows::kAll ? std::span<const std::int64_t>{} : std::span<const std::int64_t>(pass.batch.scored);
  return ops::attention(q, k, v, pass.visible(kind.window), query_rows, pass.walk.signs,
                        {.heads = spec_.heads,
                         .kv_heads = spec_.kv_heads,
                         .head_dim = spec_.head_dim,
                         .scale = spec_.attention_scale,
                         .cap = spec_.attention_cap});
}

at::Tensor Decoder::feed_forward(const DecoderLayer& layer, const ops::LinearInput& x, const Pass& pass) const {
  at::Tensor inner = nn::apply(layer.mlp_in[0], x, pass.walk);
  if (!spec_.gated) {
    ops::activate_(spec_.activation, inner);
  } else if (layer.mlp_in.size() == 1) {
    const std::vector<at::Tensor> parts = ops::split_columns(inner, {{spec_.intermediate, spec_.intermediate}});
    inner = parts[0];
    ops::gate_(spec_.activation, inner, parts[1]);
  } else {
    ops::gate_(spec_.activation, inner, nn::apply(layer.mlp_in[1], x, pass.walk));
  }
  return inner;
}

at::Tensor Decoder::enter(const nn::Norm& norm, const at::Tensor& x) const {
  return spec_.placement == NormPlacement::kAfter ? x : nn::apply(norm, x);
}

at::Tensor Decoder::leave(const nn::Norm& norm, const nn::Norm& out_norm, at::Tensor x,
                          const at::Tensor& result) const {
  ops::add_(x, spec_.placement == NormPlacement::kAround ? nn::apply(out_norm, result) : result);
  return spec_.placement == NormPlacement::kAfter ? nn::apply(norm, x) : x;
}

at::Tensor Decoder::run_attention(std::size_t index, at::Tensor x, const Pass& pass, Rows rows) const {
  const DecoderLayer& layer = weights_.layers[index];
  const at::Tensor attention =
      nn::apply(layer.attention_out, attend(index, enter(layer.attention_norm, x), pass, rows), pass.walk);
  if (rows == Rows::kScored) x = pass.only_scored(x);
  return leave(layer.attention_norm, layer.attention_out_norm, std::move(x), attention);
}

at::Tensor Decoder::run_feed_forward(std::size_t index, at::Tensor x, const Pass& pass) const {
  const DecoderLayer& layer = weights_.layers[index];
  const at::Tensor fed = nn::apply(layer.down, feed_forward(layer, enter(layer.mlp_norm, x), pass), pass.walk);
  return leave(layer.mlp_norm, layer.mlp_out_norm, std::move(x), fed);
}

at::Tensor Decoder::run_layer(std::size_t index, at::Tensor x, const Pass& pass, Rows rows) const {
  return run_feed_forward(index, run_attention(index, std::move(x), pass, rows), pass);
}

at::Tensor Decoder::forward(const PackedBatch& batch, const ForwardContext& context) {
  check_batch(batch);
  if (batch.scored.empty()) return at::empty({0, spec_.embedding_width}, at::kFloat);
  at::Tensor x = embedded(batch);
  std::size_t layer = 0;
  if (context.signs() == 2) {
    // Below the first trained layer both signs have the same hidden states: computed once, the same bits. The last
    // layer belongs to the walk of both signs in any case.
    const std::size_t shared = std::min(first_trained_layer(), weights_.layers.size() - 1);
    const Pass below(batch, ropes_, {.scales = {}, .precision = context.precision, .signs = 1, .buffers = buffers_});
    for (; layer < shared; ++layer) x = run_layer(layer, std::move(x), below, Rows::kAll);
    x = ops::for_both_signs(x);
  }
  const Pass pass(
      batch, ropes_,
      {.scales = context.scales, .precision = context.precision, .signs = context.signs(), .buffers = buffers_});
  for (; layer < weights_.layers.size(); ++layer) {
    // Behind the last layer's keys and values only the scored rows matter: the same bits, less work.
    const bool last = layer + 1 == weights_.layers.size();
    x = run_layer(layer, std::move(x), pass, last ? Rows::kScored : Rows::kAll);
  }
  if (spec_.final_norm) x = nn::apply(weights_.final_norm, x);
  return project_out_ ? nn::apply(*project_out_, x) : x;
}

at::Tensor Decoder::logits(const at::Tensor& hidden, const ForwardContext&) {
  return nn::logits(head_, hidden, spec_.logit_cap);
}

at::Tensor Decoder::token_logits(const at::Tensor& hidden, std::span<const std::int32_t> tokens,
                                 const ForwardContext&) {
  return nn::token_logits(head_, hidden, tokens, spec_.logit_cap);
}

std::vector<float> Decoder::log_probabilities(const at::Tensor& hidden, std::span<const std::int32_t> targets,
                                              const ForwardContext&) {
  return nn::log_probabilities(head_, hidden, targets, spec_.logit_cap);
}

std::vector<quant::PackedWeight*> Decoder::weights() {
  std::vector<quant::PackedWeight*> all = {&weights_.embedding};
  for (auto* optional : {&weights_.positions, &weights_.project_in, &weights_.project_out}) {
    if (*optional) all.push_back(&**optional);
  }
  for (DecoderLayer& layer : weights_.layers) {
    for (nn::Linear* linear : linears_of(layer)) all.push_back(&linear->weight);
  }
  if (weights_.head) all.push_back(&*weights_.head);
  return all;
}

std::vector<quant::PackedWeight*> Decoder::decoder_linears() {
  std::vector<quant::PackedWeight*> linears;
  for (DecoderLayer& layer : weights_.layers) {
    for (nn::Linear* linear : linears_of(layer)) {
      if (linear->weight.quantized()) linears.push_back(&linear->weight);
    }
  }
  return linears;
}

std::unique_ptr<CausalLm> load_decoder(const io::Checkpoint& checkpoint, DecoderSpec spec,
                                       const ModelLoadOptions& options) {
  DecoderWeights weights = load_decoder_weights(checkpoint, spec, options);
  return std::make_unique<Decoder>(std::move(spec), std::move(weights));
}

ModelSummary decoder_summary(const io::Checkpoint& checkpoint, const DecoderSpec& spec) {
  return summary_of(spec, !has_own_head(checkpoint, spec));
}

}  // namespace qzo::models
