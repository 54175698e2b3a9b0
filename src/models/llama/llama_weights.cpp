#include "models/llama/llama_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"

namespace qzo::models {
namespace {

using Width = std::int64_t LlamaConfig::*;

struct Name {
  const char* hf;
  const char* gguf;
};

struct LinearRow {
  nn::Linear LlamaLayer::*linear;
  Name name;  // behind "model.layers.N." / "blk.N."
  Width out, in;
  bool LlamaConfig::*bias;  // whether config.json asks for one
};
constexpr std::array<LinearRow, 7> kLinears = {{
    {&LlamaLayer::q,
     {"self_attn.q_proj", "attn_q"},
     &LlamaConfig::query_width,
     &LlamaConfig::hidden,
     &LlamaConfig::attention_bias},
    {&LlamaLayer::k,
     {"self_attn.k_proj", "attn_k"},
     &LlamaConfig::key_width,
     &LlamaConfig::hidden,
     &LlamaConfig::attention_bias},
    {&LlamaLayer::v,
     {"self_attn.v_proj", "attn_v"},
     &LlamaConfig::key_width,
     &LlamaConfig::hidden,
     &LlamaConfig::attention_bias},
    {&LlamaLayer::o,
     {"self_attn.o_proj", "attn_output"},
     &LlamaConfig::hidden,
     &LlamaConfig::query_width,
     &LlamaConfig::attention_bias},
    {&LlamaLayer::gate,
     {"mlp.gate_proj", "ffn_gate"},
     &LlamaConfig::intermediate,
     &LlamaConfig::hidden,
     &LlamaConfig::mlp_bias},
    {&LlamaLayer::up,
     {"mlp.up_proj", "ffn_up"},
     &LlamaConfig::intermediate,
     &LlamaConfig::hidden,
     &LlamaConfig::mlp_bias},
    {&LlamaLayer::down,
     {"mlp.down_proj", "ffn_down"},
     &LlamaConfig::hidden,
     &LlamaConfig::intermediate,
     &LlamaConfig::mlp_bias},
}};

struct NormRow {
  std::vector<float> LlamaLayer::*norm;
  Name name;
};
constexpr std::array<NormRow, 2> kNorms = {{
    {&LlamaLayer::attention_norm, {"input_layernorm", "attn_norm"}},
    {&LlamaLayer::mlp_norm, {"post_attention_layernorm", "ffn_norm"}},
}};

constexpr Name kLayerPrefix{"model.layers.", "blk."};
constexpr Name kEmbedding{"model.embed_tokens", "token_embd"};
constexpr Name kFinalNorm{"model.norm", "output_norm"};
constexpr Name kHead{"lm_head", "output"};

const char* spelled(const io::Checkpoint& checkpoint, Name name) {
  return checkpoint.kind == io::CheckpointKind::kGguf ? name.gguf : name.hf;
}

class Loader {
 public:
  Loader(const io::Checkpoint& checkpoint, const LlamaConfig& config, const ModelLoadOptions& options)
      : checkpoint_(checkpoint), config_(config), options_(options) {}

  LlamaWeights load() {
    LlamaWeights weights;
    const bool own_head = has_own_head(checkpoint_, config_);
    total_ = config_.layers * static_cast<std::int64_t>(kLinears.size()) + (own_head ? 2 : 1);
    weights.embedding = matrix(own(kEmbedding), config_.vocabulary, config_.hidden);
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) weights.layers.push_back(load_layer(layer));
    weights.final_norm = vector(core::text(own(kFinalNorm), ".weight"), config_.hidden);
    if (own_head) weights.head = matrix(own(kHead), config_.vocabulary, config_.hidden);
    if (own_head) warn_if_claimed_tied();
    used_.insert("rope_freqs");  // read with the configuration
    log_unused();
    return weights;
  }

 private:
  const char* own(Name name) const { return spelled(checkpoint_, name); }
  const io::TensorSource& tensors() const { return checkpoint_.tensors; }

  LlamaLayer load_layer(std::int64_t index) {
    LlamaLayer layer;
    const std::string prefix = core::text(own(kLayerPrefix), index, ".");
    for (const NormRow& row : kNorms) {
      layer.*row.norm = vector(core::text(prefix, own(row.name), ".weight"), config_.hidden);
    }
    for (const LinearRow& row : kLinears) {
      nn::Linear& linear = layer.*row.linear;
      const std::string stem = prefix + own(row.name);
      linear.weight = matrix(stem, config_.*row.out, config_.*row.in);
      linear.bias = bias(stem + ".bias", config_.*row.out, config_.*row.bias);
    }
    return layer;
  }

  quant::PackedWeight matrix(const std::string& stem, std::int64_t out, std::int64_t in) {
    used_.insert(stem);
    quant::PackedWeight weight = quant::load_weight(checkpoint_, {.name = stem, .out = out, .in = in}, options_.quant);
    if (options_.progress) options_.progress(++done_, total_);
    return weight;
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
    if (asked_for || checkpoint_.kind == io::CheckpointKind::kGguf) return values;  // GGUF: what is there counts
    const bool all_zero = std::ranges::all_of(values, [](float value) { return value == 0; });
    if (all_zero) return {};
    throw core::UserError(core::text(tensors().describe(*entry),
                                     " is not zero, but config.json says the model has no such bias, expected "
                                     "attention_bias or mlp_bias = true: set it if the model was made with biases"));
  }

  // Some readers follow the configuration here and would compute another model.
  void warn_if_claimed_tied() const {
    if (checkpoint_.kind == io::CheckpointKind::kGguf || !config_.says_tied) return;
    const io::TensorEntry* head = tensors().find(core::text(kHead.hf, ".weight"));
    const io::TensorEntry* embedding = tensors().find(core::text(kEmbedding.hf, ".weight"));
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
  const LlamaConfig& config_;
  const ModelLoadOptions& options_;
  std::set<std::string> used_;
  std::int64_t done_ = 0, total_ = 0;
};

}  // namespace

LlamaWeights load_llama_weights(const io::Checkpoint& checkpoint, const LlamaConfig& config,
                                const ModelLoadOptions& options) {
  return Loader(checkpoint, config, options).load();
}

bool has_own_head(const io::Checkpoint& checkpoint, const LlamaConfig& config) {
  const std::string stem = core::text(spelled(checkpoint, kHead), ".");
  const bool stored = std::ranges::any_of(checkpoint.tensors.entries(),
                                          [&](const io::TensorEntry& entry) { return entry.name.starts_with(stem); });
  return stored || !config.says_tied;
}

std::vector<nn::Linear*> linears_of(LlamaLayer& layer) {
  std::vector<nn::Linear*> linears;
  for (const LinearRow& row : kLinears) linears.push_back(&(layer.*row.linear));
  return linears;
}

}  // namespace qzo::models
