#include "models/training/weights.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/philox.h"
#include "qzo/core/text.h"
#include "qzo/ops/exact.h"
#include "qzo/ops/linear.h"

namespace qzo::models {
namespace {

using core::text;

at::ScalarType scalar_type(core::Dtype dtype) { return dtype == core::Dtype::kBF16 ? at::kBFloat16 : at::kFloat; }

kernels::CodeView dense_view(const at::Tensor& matrix) {
  const bool half = matrix.scalar_type() == at::kBFloat16;
  return {.layout = half ? kernels::Layout::kDenseBF16 : kernels::Layout::kDenseF32,
          .out = matrix.size(0),
          .in = matrix.size(1),
          .codes = static_cast<const std::byte*>(matrix.const_data_ptr())};
}

TrainedTensor new_tensor(std::string name, const at::Tensor& values, const TrainableOptions& options, double offset) {
  return {.name = std::move(name),
          .values = values.to(scalar_type(options.dtype), false, /*copy=*/true).contiguous(),
          .gradient = at::zeros(values.sizes(), at::kFloat),
          .offset = offset};
}

at::Tensor vector_tensor(std::vector<float>& values) {
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kFloat);
}

// The names that include and exclude leave.
std::set<std::string> chosen(const std::vector<std::string>& names, const TrainableOptions& options, const char* what) {
  std::set<std::string> out;
  const auto matching = [&](const std::string& glob, const char* key) {
    std::vector<std::string> found;
    std::ranges::copy_if(names, std::back_inserter(found),
                         [&](const std::string& name) { return core::glob_match(glob, name); });
    if (found.empty()) {
      throw core::UserError(text(key, ": ", core::quoted(glob), " matches none of the ", names.size(), " ", what,
                                 ", expected a pattern for names such as ", names.front()));
    }
    return found;
  };
  for (const std::string& glob : options.include) {
    for (std::string& name : matching(glob, "method.include")) out.insert(std::move(name));
  }
  for (const std::string& glob : options.exclude) {
    for (const std::string& name : matching(glob, "method.exclude")) out.erase(name);
  }
  if (out.empty()) throw core::UserError(text("method.include and method.exclude leave none of the ", what));
  return out;
}

// Uniform in [-bound, bound): a pure function of seed, tensor and element.
at::Tensor uniform(std::int64_t rows, std::int64_t columns, double bound, std::uint64_t seed, std::uint32_t tensor) {
  at::Tensor out = at::empty({rows, columns}, at::kFloat);
  auto* values = out.data_ptr<float>();
  const core::PhiloxKey key = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    const core::PhiloxCounter bits = core::philox4x32_10(
        {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), tensor, 0x4C6F5241U}, key);
    values[i] = static_cast<float>(bound * (static_cast<double>(bits[0]) * 0x1p-31 - 1));
  }
  return out;
}

}  // namespace

void TrainedVector::refresh() {
  if (values == nullptr) return;
  leaf = vector_tensor(*values);
  if (trained != nullptr) leaf = leaf.clone().requires_grad_(true);
}

void TrainedVector::collect() {
  if (trained == nullptr || !leaf.grad().defined()) return;
  trained->gradient.add_(leaf.grad());
}

void TrainedVector::write_back() {
  if (trained == nullptr) return;
  vector_tensor(*values).copy_(trained->values.to(at::kFloat).add(trained->offset));
}

at::Tensor TrainedLinear::apply(const at::Tensor& x) const {
  if (x.scalar_type() == at::kDouble) {
    QZO_CHECK(!adapter, "an adapter in double");
    const at::Tensor exact = ops::exact_linear(x, weight.codes, weight.scales);
    return bias == nullptr ? exact : exact + bias->leaf;
  }
  at::Tensor y = ops::differentiable_linear(x, weight);
  if (bias != nullptr) y = y + bias->leaf;
  if (!adapter) return y;
  return y + ops::differentiable_linear(ops::differentiable_linear(x, adapter->a), adapter->b) * adapter->scale;
}

at::Tensor TrainedNorm::apply(const at::Tensor& x) const {
  const std::int64_t width = weight->leaf.size(0);
  const at::Tensor rows = x.reshape({-1, width});
  if (norm->kind == nn::NormKind::kLayer) {
    const at::ScalarType type = x.scalar_type();
    const at::Tensor shift = bias == nullptr ? at::Tensor() : bias->leaf.to(type);
    return at::layer_norm(rows, {width}, weight->leaf.to(type), shift, double{norm->eps}).view(x.sizes());
  }
  const at::Tensor root = (rows * rows).mean(1, true).add(double{norm->eps}).rsqrt();
  return (rows * root * weight->leaf).view(x.sizes());
}

TrainingWeights::TrainingWeights(Decoder& decoder) : decoder_(decoder) {
  DecoderWeights& parts = decoder.parts();
  const DecoderSpec& spec = decoder.spec();
  const auto rooted = [&](TensorName name) { return spec.root + spec.own(name); };
  embedding_.scales = std::make_unique<nn::FrozenWeight>(parts.embedding);
  matrices_.push_back({rooted(spec.names.embedding) + ".weight", &parts.embedding, &embedding_});
  layers_.resize(parts.layers.size());
  for (std::size_t i = 0; i < parts.layers.size(); ++i)
    list_layer(static_cast<std::int64_t>(i), parts.layers[i], layers_[i]);
  if (spec.final_norm) list_norm(rooted(spec.names.final_norm), parts.final_norm, final_norm_);
  if (parts.head) {
    head_.scales = std::make_unique<nn::FrozenWeight>(*parts.head);
    matrices_.push_back({text(spec.own(spec.names.head), ".weight"), &*parts.head, &head_});
  }
  bind();
}

void TrainingWeights::bind() {
  for (Matrix& matrix : matrices_) {
    matrix.linear->weight.codes = matrix.weight->codes;
    matrix.linear->weight.scales = matrix.linear->scales->scales();
  }
  if (!decoder_.parts().head) head_.weight = embedding_.weight;
}

void TrainingWeights::train(const TrainableOptions& options) {
  options.adapters ? train_adapters(options) : train_weights(options);
  bind();
}

void TrainingWeights::use_scales(const quant::ScaleMode& mode) {
  QZO_CHECK(mode.probe == nullptr || mode.probe->signs != kernels::Signs::kBoth, "a probe of both signs");
  buffers_.resize(places_.size());
  for (std::size_t i = 0; i < places_.size(); ++i)
    places_[i].trained->weight.scales = quant::effective_scales(places_[i].linear->weight, mode, buffers_[i]).plus;
}

void TrainingWeights::list_layer(std::int64_t index, DecoderLayer& layer, TrainedLayer& trained) {
  const DecoderSpec& spec = decoder_.spec();
  const LayerNames& names = spec.names.in_layer;
  const std::string prefix = text(spec.root, spec.own(spec.names.layer), index, ".");
  const std::string hf_prefix = spec.gguf ? text("model.", spec.names.layer.hf, index, ".") : prefix;
  const auto norm = [&](TensorName name, nn::Norm& from, TrainedNorm& to) {
    if (!from.weight.empty()) list_norm(prefix + spec.own(name), from, to);
  };
  norm(names.attention_norm, layer.attention_norm, trained.attention_norm);
  norm(names.mlp_norm, layer.mlp_norm, trained.mlp_norm);
  norm(names.attention_out_norm, layer.attention_out_norm, trained.attention_out_norm);
  norm(names.mlp_out_norm, layer.mlp_out_norm, trained.mlp_out_norm);
  norm(names.query_norm, layer.query_norm, trained.query_norm);
  norm(names.key_norm, layer.key_norm, trained.key_norm);
  const auto linears = [&](const std::vector<TensorName>& stems, std::vector<nn::Linear>& from,
                           std::vector<TrainedLinear>& to, const std::vector<std::int64_t>& heads) {
    to.resize(from.size());
    QZO_CHECK(stems.size() == from.size(), stems.size(), " names for ", from.size(), " linears");
    for (std::size_t i = 0; i < from.size(); ++i)
      list_linear(hf_prefix + stems[i].hf, from[i], to[i], i < heads.size() ? heads[i] : 0);
  };
  const bool fused = layer.qkv.size() == 1;
  const bool interleaved = !fused && spec.pairing == kernels::RopePairing::kInterleaved;
  linears(fused ? std::vector{names.qkv} : std::vector{names.q, names.k, names.v}, layer.qkv, trained.qkv,
          interleaved ? std::vector{spec.heads, spec.kv_heads} : std::vector<std::int64_t>{});
  list_linear(hf_prefix + names.attention_out.hf, layer.attention_out, trained.attention_out);
  linears(layer.mlp_in.size() == 2 ? std::vector{names.gate, names.up}
          : spec.gated             ? std::vector{names.gate_up}
                                   : std::vector{names.up},
          layer.mlp_in, trained.mlp_in, {});
  list_linear(hf_prefix + names.down.hf, layer.down, trained.down);
}

void TrainingWeights::list_linear(const std::string& hf_stem, nn::Linear& linear, TrainedLinear& trained,
                                  std::int64_t interleaved_heads) {
  trained.scales = std::make_unique<nn::FrozenWeight>(linear.weight);
  matrices_.push_back({linear.weight.name + ".weight", &linear.weight, &trained});
  places_.push_back({hf_stem, &linear, &trained, interleaved_heads});
  if (!linear.bias.empty()) trained.bias = list_vector(linear.weight.name + ".bias", linear.bias, 0);
}

void TrainingWeights::list_norm(const std::string& stem, nn::Norm& norm, TrainedNorm& trained) {
  trained.norm = &norm;
  trained.weight = list_vector(stem + ".weight", norm.weight, double{decoder_.spec().norm_offset});
  if (!norm.bias.empty()) trained.bias = list_vector(stem + ".bias", norm.bias, 0);
}

TrainedVector* TrainingWeights::list_vector(const std::string& name, std::vector<float>& values, double offset) {
  vectors_.push_back({.values = &values, .trained = nullptr, .leaf = {}});
  named_vectors_.push_back({name, offset, &vectors_.back()});
  return &vectors_.back();
}

void TrainingWeights::train_weights(const TrainableOptions& options) {
  std::vector<std::string> names;
  for (const Matrix& matrix : matrices_) names.push_back(matrix.name);
  if (decoder_.spec().norm_affine) {
    for (const Vector& vector : named_vectors_) names.push_back(vector.name);
  }
  const std::set<std::string> trained = chosen(names, options, "tensors of the model");
  tensors_.reserve(trained.size());  // pointed at
  for (Matrix& matrix : matrices_) {
    if (!trained.contains(matrix.name)) continue;
    quant::PackedWeight& weight = *matrix.weight;
    if (weight.quantized()) {
      throw core::UserError(text("tensor ", core::quoted(matrix.name), " is quantized (", weight.format,
                                 "), so its weights cannot be trained themselves: set method.adapter to \"lora\", or "
                                 "give a dense checkpoint (fp32, bf16 or fp16), or leave it out (method.exclude)"));
    }
    std::vector<std::int32_t> rows(static_cast<std::size_t>(weight.codes.out));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int32_t>(i);
    tensors_.push_back(new_tensor(matrix.name, ops::dequantized_rows(weight.codes, {}, rows), options, 0));
    // From here on both models read the trained values.
    weight.codes = dense_view(tensors_.back().values);
    weight.owned_codes = {};
    matrix.linear->weight.gradient = tensors_.back().gradient;
  }
  for (Vector& vector : named_vectors_) {
    if (!trained.contains(vector.name)) continue;
    const at::Tensor stored = vector_tensor(*vector.vector->values).sub(vector.offset);
    tensors_.push_back(new_tensor(vector.name, stored, options, vector.offset));
    vector.vector->trained = &tensors_.back();
  }
  write_back();
}

void TrainingWeights::train_adapters(const TrainableOptions& options) {
  const AdapterOptions& adapters = *options.adapters;
  std::vector<std::string> names;
  for (const Place& place : places_) names.push_back(place.name);
  const std::set<std::string> trained = chosen(names, options, "linears of the decoder layers");
  tensors_.reserve(2 * trained.size());  // pointed at
  const double scale = adapters.alpha / static_cast<double>(adapters.rank);
  std::uint32_t number = 0;
  for (Place& place : places_) {
    const auto id = number++;  // whatever is chosen, a place begins alike
    if (!trained.contains(place.name)) continue;
    const kernels::CodeView& weight = place.linear->weight.codes;
    const double bound = 1 / std::sqrt(static_cast<double>(weight.in));
    const std::string stem = "base_model.model." + place.name;
    tensors_.push_back(
        new_tensor(stem + ".lora_A.weight", uniform(adapters.rank, weight.in, bound, adapters.seed, id), options, 0));
    const TrainedTensor& a = tensors_.back();
    tensors_.push_back(
        new_tensor(stem + ".lora_B.weight", at::zeros({weight.out, adapters.rank}, at::kFloat), options, 0));
    tensors_.back().interleaved_heads = place.interleaved_heads;
    const TrainedTensor& b = tensors_.back();
    place.linear->adapter = nn::Adapter{dense_view(a.values), dense_view(b.values), static_cast<float>(scale)};
    place.trained->adapter =
        TrainedAdapter{{dense_view(a.values), {}, a.gradient}, {dense_view(b.values), {}, b.gradient}, scale};
  }
}

void TrainingWeights::refresh() {
  for (TrainedVector& vector : vectors_) vector.refresh();
}
void TrainingWeights::collect() {
  for (TrainedVector& vector : vectors_) vector.collect();
}
void TrainingWeights::write_back() {
  for (TrainedVector& vector : vectors_) vector.write_back();
}

}  // namespace qzo::models
