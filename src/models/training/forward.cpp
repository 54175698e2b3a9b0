#include "models/training/forward.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/models/visibility.h"
#include "qzo/ops/exact.h"
#include "qzo/ops/linear.h"

namespace qzo::models {
namespace {

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

// A block f around the residual stream, as the specification places its norms.
template <class Block>
at::Tensor around(NormPlacement placement, const TrainedNorm& norm, const TrainedNorm& out_norm, const at::Tensor& x,
                  const Block& f) {
  switch (placement) {
    case NormPlacement::kBefore:
      return x + f(norm.apply(x));
    case NormPlacement::kAfter:
      return norm.apply(x + f(x));
    case NormPlacement::kAround:
      return x + out_norm.apply(f(norm.apply(x)));
  }
  QZO_CHECK(false, "placement ", static_cast<int>(placement));
}

}  // namespace

at::Tensor index_tensor(std::span<const std::int64_t> values) {
  return at::tensor(at::ArrayRef<std::int64_t>(values.data(), values.size()), at::kLong);
}

void require_tensor_forward(const DecoderSpec& spec, const char* what) {
  if (spec.learned_positions == 0 && spec.embedding_width == spec.hidden && !spec.transposed) return;
  throw core::UserError(core::text("model family ", core::quoted(spec.family),
                                   " (learned positions, projections or transposed matrices) cannot be ", what,
                                   " yet; built are llama, mistral, qwen2, qwen3, phi3, gemma2 and gemma3"));
}

TensorForward::Batch TensorForward::prepare(const PackedBatch& batch) {
  Batch out;
  const std::int64_t longest = *std::ranges::max_element(batch.positions) + std::int64_t{1};
  for (nn::Rope& rope : decoder_.ropes()) out.rotations.push_back(rotation_rows(rope.table(longest), batch.positions));
  for (const LayerSpec& layer : spec_.layer) {
    if (!out.blocks.contains(layer.window))
      out.blocks[layer.window] = attention_blocks(visible_ranges(batch, layer.window));
  }
  return out;
}

at::Tensor TensorForward::embed(const PackedBatch& batch, at::ScalarType type) const {
  const ops::GradientWeight& table = weights_.embedding();
  const auto rows_of = type == at::kDouble ? ops::exact_rows : ops::dequantized_rows;
  const at::Tensor rows = rows_of(table.codes, table.scales, batch.tokens);
  return rows * double{spec_.embedding_scale};
}

at::Tensor TensorForward::logits(const at::Tensor& hidden) const {
  const at::Tensor normed = spec_.final_norm ? weights_.final_norm().apply(hidden) : hidden;
  const at::Tensor out = weights_.head().apply(normed);
  if (spec_.logit_cap == 0) return out;
  const double cap{spec_.logit_cap};
  return at::tanh(out / cap) * cap;
}

at::Tensor TensorForward::attend(std::size_t index, const at::Tensor& x, const Batch& pass) {
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

at::Tensor TensorForward::feed_forward(const TrainedLayer& layer, const at::Tensor& x) const {
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

at::Tensor TensorForward::run_layer(std::size_t index, const at::Tensor& x, const Batch& pass) {
  const TrainedLayer& layer = weights_.layers()[index];
  const at::Tensor mixed = around(spec_.placement, layer.attention_norm, layer.attention_out_norm, x,
                                  [&](const at::Tensor& in) { return attend(index, in, pass); });
  return around(spec_.placement, layer.mlp_norm, layer.mlp_out_norm, mixed,
                [&](const at::Tensor& in) { return feed_forward(layer, in); });
}

}  // namespace qzo::models
