#include "models/decoder/read_shape.h"

#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::models {
namespace {

struct NamedActivation {
  std::string_view name;
  kernels::Activation activation;
};
// "gelu_fast" and the quick gelu differ: not here.
constexpr std::array<NamedActivation, 6> kActivations = {{
    {"silu", kernels::Activation::kSilu},
    {"swish", kernels::Activation::kSilu},
    {"gelu", kernels::Activation::kGelu},
    {"gelu_new", kernels::Activation::kGeluTanh},
    {"gelu_pytorch_tanh", kernels::Activation::kGeluTanh},
    {"relu", kernels::Activation::kRelu},
}};

void read_heads(const ConfigReader& reader, const ShapeKeys& keys, DecoderSpec& spec) {
  spec.heads = reader.dimension(keys.heads);
  spec.kv_heads = reader.find_dimension(keys.kv_heads).value_or(spec.heads);
  if (spec.heads % spec.kv_heads != 0) {
    reader.fail(keys.kv_heads, core::text("is ", spec.kv_heads),
                core::text("a divisor of ", reader.name(keys.heads), " = ", spec.heads));
  }
  if (const auto head_dim = reader.find_dimension(keys.head_dim)) {
    spec.head_dim = *head_dim;
  } else if (!reader.gguf() && keys.default_head_dim > 0) {
    spec.head_dim = keys.default_head_dim;
  } else if (spec.hidden % spec.heads != 0) {
    const std::string head_dim_key = reader.name(keys.head_dim);
    reader.fail(keys.heads, core::text("is ", spec.heads),
                core::text("a divisor of ", reader.name(keys.hidden), " = ", spec.hidden,
                           head_dim_key.empty() ? "" : " as there is no ", head_dim_key));
  } else {
    spec.head_dim = spec.hidden / spec.heads;
  }
  spec.attention_scale = 1.0F / std::sqrt(static_cast<float>(spec.head_dim));
}

void read_gguf(const ConfigReader& reader, const io::Checkpoint& checkpoint, DecoderSpec& spec) {
  const io::TensorSource& tensors = checkpoint.tensors;
  constexpr const char* kEmbedding = "token_embd.weight";
  const io::TensorEntry* embedding = tensors.find(kEmbedding);
  if (embedding == nullptr || embedding->shape.size() != 2) {
    throw core::UserError(core::text(tensors.where(), ": tensor \"", kEmbedding, "\" ",
                                     embedding == nullptr ? "is missing" : "is not a matrix",
                                     "; the model needs it as [vocabulary, ", spec.hidden, "]"));
  }
  spec.vocabulary = embedding->shape[0];
  spec.says_tied = true;  // whenever output.weight is absent
  constexpr Key kExperts{nullptr, "expert_count"};
  const std::int64_t experts = reader.find_count(kExperts).value_or(0);
  if (experts != 0) reader.refuse(kExperts, core::text(experts), "0, layers without experts");
  constexpr Key kValueWidth{nullptr, "attention.value_length"};
  if (const auto width = reader.find_dimension(kValueWidth); width && *width != spec.head_dim) {
    reader.refuse(kValueWidth, core::text(*width), core::text("the width of a key, ", spec.head_dim));
  }
}

}  // namespace

DecoderSpec read_shape(const ConfigReader& reader, const io::Checkpoint& checkpoint, const char* family,
                       const ShapeKeys& keys) {
  DecoderSpec spec;
  spec.family = family;
  spec.layers = reader.dimension(keys.layers);
  spec.hidden = reader.dimension(keys.hidden);
  spec.embedding_width = spec.hidden;
  spec.intermediate = keys.intermediate_factor == 0
                          ? reader.dimension(keys.intermediate)
                          : reader.find_dimension(keys.intermediate).value_or(spec.hidden * keys.intermediate_factor);
  spec.max_positions = reader.find_dimension(keys.max_positions).value_or(keys.default_positions);
  if (keys.norm_eps.hf != nullptr) spec.norm_eps = static_cast<float>(reader.positive(keys.norm_eps));
  read_heads(reader, keys, spec);
  spec.layer.resize(static_cast<std::size_t>(spec.layers));
  spec.names = llama_names();
  spec.gguf = reader.gguf();
  if (spec.gguf) {
    read_gguf(reader, checkpoint, spec);
  } else {
    spec.root = "model.";
    spec.vocabulary = reader.dimension({"vocab_size", nullptr});
    spec.says_tied = reader.find_flag({"tie_word_embeddings", nullptr}).value_or(keys.tied_by_default);
  }
  return spec;
}

DecoderNames llama_names() {
  DecoderNames names;
  names.embedding = {"embed_tokens", "token_embd"};
  names.layer = {"layers.", "blk."};
  names.final_norm = {"norm", "output_norm"};
  names.head = {"lm_head", "output"};
  LayerNames& layer = names.in_layer;
  layer.attention_norm = {"input_layernorm", "attn_norm"};
  layer.mlp_norm = {"post_attention_layernorm", "ffn_norm"};
  layer.q = {"self_attn.q_proj", "attn_q"};
  layer.k = {"self_attn.k_proj", "attn_k"};
  layer.v = {"self_attn.v_proj", "attn_v"};
  layer.attention_out = {"self_attn.o_proj", "attn_output"};
  layer.gate = {"mlp.gate_proj", "ffn_gate"};
  layer.up = {"mlp.up_proj", "ffn_up"};
  layer.down = {"mlp.down_proj", "ffn_down"};
  return names;
}

kernels::Activation read_activation(const ConfigReader& reader, Key key, const char* otherwise) {
  const std::string name = reader.find_string(key).value_or(otherwise);
  std::string supported;
  for (const NamedActivation& known : kActivations) {
    if (name == known.name) return known.activation;
    supported += core::text(supported.empty() ? "" : ", ", known.name);
  }
  reader.refuse(key, core::quoted(name), supported);
}

void refuse_flag(const ConfigReader& reader, const char* hf) {
  const Key key{hf, nullptr};
  if (reader.find_flag(key).value_or(false)) reader.refuse(key, "true", "false");
}

std::optional<std::int64_t> read_window(const ConfigReader& reader, std::optional<std::int64_t> otherwise) {
  constexpr Key kWindow{"sliding_window", "attention.sliding_window"};
  if (reader.is_null(kWindow)) return std::nullopt;
  const auto window = reader.gguf() ? reader.find_count(kWindow) : reader.find_dimension(kWindow);
  if (window && *window == 0) return std::nullopt;  // writers put 0 for none
  return window ? window : otherwise;
}

float read_cap(const ConfigReader& reader, Key key, double otherwise) {
  if (reader.is_null(key)) return 0;
  return static_cast<float>(reader.find_positive(key).value_or(otherwise));
}

std::string find_root(const io::TensorSource& tensors, std::initializer_list<const char*> roots, const char* stem) {
  for (const char* root : roots) {
    const std::string prefix = core::text(root, stem, ".");
    for (const io::TensorEntry& entry : tensors.entries()) {
      if (entry.name.starts_with(prefix)) return root;
    }
  }
  return *roots.begin();
}

std::optional<std::vector<bool>> read_layer_types(const ConfigReader& reader, const DecoderSpec& spec,
                                                  std::optional<std::int64_t> window) {
  constexpr Key kTypes{"layer_types", nullptr};
  const auto types = reader.find_strings(kTypes);
  if (!types) return std::nullopt;
  if (types->size() != spec.layer.size()) {
    reader.fail(kTypes, core::text("has ", types->size(), " entries"), core::text(spec.layers, ", one for each layer"));
  }
  std::vector<bool> slides;
  for (const std::string& type : *types) {
    slides.push_back(type == "sliding_attention");
    if (type != "sliding_attention" && type != "full_attention")
      reader.refuse(kTypes, core::quoted(type), "full_attention, sliding_attention");
    if (slides.back() && !window)
      reader.fail(kTypes, "has sliding_attention", "full_attention only, as no sliding_window is in use");
  }
  return slides;
}

}  // namespace qzo::models
