#include "models/decoder/weights.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"

namespace qzo::models {
namespace {

// One matrix of a layer: its name and shape, and whether the configuration asks for a bias.
struct MatrixSpec {
  TensorName name;
  std::int64_t out, in;
  bool bias;
};

std::vector<MatrixSpec> qkv_matrices(const DecoderSpec& spec) {
  const LayerNames& names = spec.names.in_layer;
  const std::int64_t query = spec.query_width(), key = spec.key_width();
  if (spec.own(names.qkv) != nullptr) return {{names.qkv, query + 2 * key, spec.hidden, spec.qkv_bias}};
  return {{names.q, query, spec.hidden, spec.qkv_bias},
          {names.k, key, spec.hidden, spec.qkv_bias},
          {names.v, key, spec.hidden, spec.qkv_bias}};
}

std::vector<MatrixSpec> mlp_in_matrices(const DecoderSpec& spec) {
  const LayerNames& names = spec.names.in_layer;
  if (spec.own(names.gate_up) != nullptr) return {{names.gate_up, 2 * spec.intermediate, spec.hidden, spec.mlp_bias}};
  const MatrixSpec up{names.up, spec.intermediate, spec.hidden, spec.mlp_bias};
  if (!spec.gated) return {up};
  return {{names.gate, spec.intermediate, spec.hidden, spec.mlp_bias}, up};
}

class Loader {
 public:
  Loader(const io::Checkpoint& checkpoint, const DecoderSpec& spec, const ModelLoadOptions& options)
      : checkpoint_(checkpoint), spec_(spec), options_(options) {}

  DecoderWeights load() {
    DecoderWeights weights;
    const DecoderNames& names = spec_.names;
    const bool own_head = has_own_head(checkpoint_, spec_);
    const bool projected = spec_.embedding_width != spec_.hidden;
    const std::size_t in_layer = qkv_matrices(spec_).size() + mlp_in_matrices(spec_).size() + 2;
    total_ = spec_.layers * static_cast<std::int64_t>(in_layer) + 1 + (spec_.learned_positions > 0 ? 1 : 0) +
             (projected ? 2 : 0) + (own_head ? 1 : 0);
    weights.embedding = matrix(rooted(names.embedding), spec_.vocabulary, spec_.embedding_width);
    if (spec_.learned_positions > 0)
      weights.positions = matrix(rooted(names.positions), spec_.learned_positions, spec_.hidden);
    if (projected) {
      weights.project_in = matrix(rooted(names.project_in), spec_.hidden, spec_.embedding_width);
      weights.project_out = matrix(rooted(names.project_out), spec_.embedding_width, spec_.hidden);
    }
    for (std::int64_t layer = 0; layer < spec_.layers; ++layer) weights.layers.push_back(load_layer(layer));
    if (spec_.final_norm) weights.final_norm = norm(rooted(names.final_norm), spec_.hidden);
    if (own_head) {
      weights.head = matrix(spec_.own(names.head), spec_.vocabulary, spec_.embedding_width);
      warn_if_claimed_tied();
    }
    for (const char* name : {"rope_freqs", "rope_factors_long", "rope_factors_short"})
      used_.insert(name);  // read with the configuration
    log_unused();
    return weights;
  }

 private:
  const io::TensorSource& tensors() const { return checkpoint_.tensors; }
  std::string rooted(TensorName name) const { return spec_.root + spec_.own(name); }

  DecoderLayer load_layer(std::int64_t index) {
    const LayerNames& names = spec_.names.in_layer;
    const std::string prefix = core::text(rooted(spec_.names.layer), index, ".");
    DecoderLayer layer;
    layer.attention_norm = norm(prefix + spec_.own(names.attention_norm), spec_.hidden);
    layer.mlp_norm = norm(prefix + spec_.own(names.mlp_norm), spec_.hidden);
    if (spec_.placement == NormPlacement::kAround) {
      layer.attention_out_norm = norm(prefix + spec_.own(names.attention_out_norm), spec_.hidden);
      layer.mlp_out_norm = norm(prefix + spec_.own(names.mlp_out_norm), spec_.hidden);
    }
    if (spec_.own(names.query_norm) != nullptr) {
      layer.query_norm = norm(prefix + spec_.own(names.query_norm), spec_.head_dim);
      layer.key_norm = norm(prefix + spec_.own(names.key_norm), spec_.head_dim);
    }
    for (const MatrixSpec& row : qkv_matrices(spec_)) layer.qkv.push_back(linear(prefix, row));
    layer.attention_out =
        linear(prefix, {names.attention_out, spec_.hidden, spec_.query_width(), spec_.attention_out_bias});
    for (const MatrixSpec& row : mlp_in_matrices(spec_)) layer.mlp_in.push_back(linear(prefix, row));
    layer.down = linear(prefix, {names.down, spec_.hidden, spec_.intermediate, spec_.mlp_bias});
    return layer;
  }

  nn::Linear linear(const std::string& prefix, const MatrixSpec& row) {
    const std::string stem = prefix + spec_.own(row.name);
    nn::Linear linear;
    linear.weight = matrix(stem, row.out, row.in, spec_.transposed);
    linear.bias = bias(stem + ".bias", row.out, row.bias);
    return linear;
  }

  quant::PackedWeight matrix(const std::string& stem, std::int64_t out, std::int64_t in, bool transposed = false) {
    used_.insert(stem);
    quant::PackedWeight weight =
        quant::load_weight(checkpoint_, {.name = stem, .out = out, .in = in, .transposed = transposed}, options_.quant);
    if (options_.progress) options_.progress(++done_, total_);
    return weight;
  }

  nn::Norm norm(const std::string& stem, std::int64_t width) {
    nn::Norm norm{.kind = spec_.norm, .eps = spec_.norm_eps};
    if (!spec_.norm_affine) {
      norm.weight.assign(static_cast<std::size_t>(width), 1.0F);
      return norm;
    }
    norm.weight = vector(stem + ".weight", width);
    if (spec_.norm_offset != 0) {
      for (float& value : norm.weight) value += spec_.norm_offset;
    }
    if (spec_.norm == nn::NormKind::kLayer) norm.bias = vector(stem + ".bias", width);
    return norm;
  }

  std::vector<float> vector(const std::string& name, std::int64_t length) {
    used_.insert(name.substr(0, name.rfind('.')));
    const io::TensorEntry& entry =
        tensors().require(name, {core::Dtype::kF32, core::Dtype::kF16, core::Dtype::kBF16}, std::span(&length, 1));
    std::vector<float> values = io::read_floats(entry);
    const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
    if (bad != values.end()) {
      throw core::UserError(core::text(tensors().describe(entry), ": element ", bad - values.begin(), " is ", *bad,
                                       ", expected a finite number: the file is damaged"));
    }
    return values;
  }

  // GPTQ writers of old leave biases of zeros where the model has none.
  std::vector<float> bias(const std::string& name, std::int64_t length, bool asked_for) {
    const io::TensorEntry* entry = tensors().find(name);
    if (entry == nullptr && !asked_for) return {};
    std::vector<float> values = vector(name, length);
    if (asked_for || spec_.gguf) return values;  // GGUF: what is there counts
    const bool all_zero = std::ranges::all_of(values, [](float value) { return value == 0; });
    if (all_zero) return {};
    throw core::UserError(core::text(
        tensors().describe(*entry), " is not zero, but config.json says the model has no such bias, expected ",
        "attention_bias, mlp_bias or enable_bias = true: set it if the model was made ", "with biases"));
  }

  // Some readers follow the configuration here and would compute another model.
  void warn_if_claimed_tied() const {
    if (spec_.gguf || !spec_.says_tied) return;
    const io::TensorEntry* head = tensors().find(core::text(spec_.own(spec_.names.head), ".weight"));
    const io::TensorEntry* embedding = tensors().find(rooted(spec_.names.embedding) + ".weight");
    if (head != nullptr && embedding != nullptr && std::ranges::equal(head->bytes, embedding->bytes)) return;
    core::log_warning(core::text(tensors().where(), ": config.json says tie_word_embeddings = true, but a head that ",
                                 "differs from the embedding is stored: the stored one is used"));
  }

  void log_unused() const {
    std::string names;
    std::int64_t count = 0;
    for (const io::TensorEntry& entry : tensors().entries()) {
      if (used_.contains(entry.name.substr(0, entry.name.rfind('.')))) continue;
      if (++count <= 8) names += core::text(count == 1 ? "" : ", ", entry.name);
    }
    if (count == 0) return;
    core::log_debug(core::text(tensors().where(), ": ", count, " tensors are not used by the model: ", names,
                               count > 8 ? ", ..." : ""));
  }

  const io::Checkpoint& checkpoint_;
  const DecoderSpec& spec_;
  const ModelLoadOptions& options_;
  std::set<std::string> used_;
  std::int64_t done_ = 0, total_ = 0;
};

}  // namespace

DecoderWeights load_decoder_weights(const io::Checkpoint& checkpoint, const DecoderSpec& spec,
                                    const ModelLoadOptions& options) {
  return Loader(checkpoint, spec, options).load();
}

bool has_own_head(const io::Checkpoint& checkpoint, const DecoderSpec& spec) {
  const std::string stem = core::text(spec.own(spec.names.head), ".");
  const bool stored = std::ranges::any_of(checkpoint.tensors.entries(),
                                          [&](const io::TensorEntry& entry) { return entry.name.starts_with(stem); });
  return stored || !spec.says_tied;
}

std::vector<nn::Linear*> linears_of(DecoderLayer& layer) {
  std::vector<nn::Linear*> linears;
  for (nn::Linear& linear : layer.qkv) linears.push_back(&linear);
  linears.push_back(&layer.attention_out);
  for (nn::Linear& linear : layer.mlp_in) linears.push_back(&linear);
  linears.push_back(&layer.down);
  return linears;
}

}  // namespace qzo::models
