#include "models/llama/llama_config.h"

#include <algorithm>
#include <cmath>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "models/config_reader.h"

namespace qzo::models {
namespace {

constexpr Key kHidden{"hidden_size", "embedding_length"};
constexpr Key kIntermediate{"intermediate_size", "feed_forward_length"};
constexpr Key kLayers{"num_hidden_layers", "block_count"};
constexpr Key kHeads{"num_attention_heads", "attention.head_count"};
constexpr Key kKvHeads{"num_key_value_heads", "attention.head_count_kv"};
constexpr Key kHeadDim{"head_dim", "attention.key_length"};
constexpr Key kMaxPositions{"max_position_embeddings", "context_length"};
constexpr Key kNormEps{"rms_norm_eps", "attention.layer_norm_rms_epsilon"};
constexpr Key kTheta{"rope_theta", "rope.freq_base"};

constexpr double kDefaultTheta = 10000;           // Llama 1 and 2 do not write it
constexpr std::int64_t kDefaultPositions = 2048;  // the same

void read_shape(const ConfigReader& reader, LlamaConfig& config) {
  config.layers = reader.dimension(kLayers);
  config.hidden = reader.dimension(kHidden);
  config.intermediate = reader.dimension(kIntermediate);
  config.heads = reader.dimension(kHeads);
  config.kv_heads = reader.find_dimension(kKvHeads).value_or(config.heads);
  config.max_positions = reader.find_dimension(kMaxPositions).value_or(kDefaultPositions);
  config.norm_eps = static_cast<float>(reader.positive(kNormEps));
  if (config.heads % config.kv_heads != 0) {
    reader.fail(kKvHeads, core::text("is ", config.kv_heads),
                core::text("a divisor of ", reader.name(kHeads), " = ", config.heads));
  }
  if (const auto head_dim = reader.find_dimension(kHeadDim)) {
    config.head_dim = *head_dim;
  } else if (config.hidden % config.heads != 0) {
    reader.fail(kHeads, core::text("is ", config.heads),
                core::text("a divisor of ", reader.name(kHidden), " = ", config.hidden, " as there is no ",
                           reader.name(kHeadDim)));
  } else {
    config.head_dim = config.hidden / config.heads;
  }
  if (config.head_dim % 2 != 0) {
    throw core::UserError(core::text(reader.file(), ": heads are ", config.head_dim,
                                     " wide, expected an even width since the rotary embedding turns pairs"));
  }
  config.query_width = config.heads * config.head_dim;
  config.key_width = config.kv_heads * config.head_dim;
}

nn::RopeScaling scaling_named(const ConfigReader& reader, Key key, const std::string& name) {
  if (name == "default" || name == "none") return nn::RopeScaling::kNone;
  if (name == "linear") return nn::RopeScaling::kLinear;
  if (name == "llama3" && !reader.gguf()) return nn::RopeScaling::kLlama3;
  reader.refuse(key, core::quoted(name), reader.gguf() ? "none, linear" : "default, linear, llama3");
}

// rope_parameters (transformers 5) or rope_scaling, in which the type is "rope_type" or "type".
void read_hf_rope(const ConfigReader& reader, nn::RopeSettings& rope) {
  if (const auto theta = reader.find_positive(kTheta)) rope.theta = *theta;
  std::optional<ConfigReader> section = reader.section("rope_parameters");
  if (!section) section = reader.section("rope_scaling");
  if (!section) return;
  if (const auto theta = section->find_positive(kTheta)) rope.theta = *theta;
  constexpr Key kNewType{"rope_type", nullptr};
  constexpr Key kOldType{"type", nullptr};
  const auto new_type = section->find_string(kNewType);
  const std::string type = new_type ? *new_type : section->find_string(kOldType).value_or("default");
  rope.scaling = scaling_named(*section, new_type ? kNewType : kOldType, type);
  if (rope.scaling == nn::RopeScaling::kNone) return;
  rope.factor = section->positive({"factor", nullptr});
  if (rope.scaling != nn::RopeScaling::kLlama3) return;
  constexpr Key kHigh{"high_freq_factor", nullptr};
  rope.low_frequency_factor = section->positive({"low_freq_factor", nullptr});
  rope.high_frequency_factor = section->positive(kHigh);
  rope.original_positions = section->positive({"original_max_position_embeddings", nullptr});
  if (rope.high_frequency_factor <= rope.low_frequency_factor) {
    section->fail(kHigh, core::text("is ", rope.high_frequency_factor),
                  core::text("a number above low_freq_factor = ", rope.low_frequency_factor));
  }
}

void read_hf(const ConfigReader& reader, LlamaConfig& config) {
  config.vocabulary = reader.dimension({"vocab_size", nullptr});
  config.attention_bias = reader.find_flag({"attention_bias", nullptr}).value_or(false);
  config.mlp_bias = reader.find_flag({"mlp_bias", nullptr}).value_or(false);
  config.says_tied = reader.find_flag({"tie_word_embeddings", nullptr}).value_or(false);
  constexpr Key kActivation{"hidden_act", nullptr};
  const std::string activation = reader.find_string(kActivation).value_or("silu");
  if (activation != "silu") reader.refuse(kActivation, core::quoted(activation), "silu");
  constexpr Key kPartial{"partial_rotary_factor", nullptr};
  if (const auto share = reader.find_positive(kPartial); share && *share != 1) {
    reader.refuse(kPartial, core::text(*share), "1");
  }
  read_hf_rope(reader, config.rope);
}

// rope_freqs.weight carries the llama3 scaling: one divisor for each frequency.
void read_gguf_divisors(const io::TensorSource& tensors, LlamaConfig& config) {
  constexpr const char* kName = "rope_freqs.weight";
  if (tensors.find(kName) == nullptr) return;
  const std::int64_t half = config.head_dim / 2;
  const io::TensorEntry& entry = tensors.require(kName, {core::Dtype::kF32}, std::span(&half, 1));
  config.rope.divisors = io::read_floats(entry);
  const auto bad = std::ranges::find_if_not(config.rope.divisors, [](float d) { return std::isfinite(d) && d > 0; });
  if (bad != config.rope.divisors.end()) {
    throw core::UserError(core::text(tensors.describe(entry), ": element ", bad - config.rope.divisors.begin(), " is ",
                                     *bad, ", expected a number above 0"));
  }
}

void read_gguf_rope(const ConfigReader& reader, const io::TensorSource& tensors, LlamaConfig& config) {
  config.rope.theta = reader.find_positive(kTheta).value_or(kDefaultTheta);
  constexpr Key kType{nullptr, "rope.scaling.type"};
  config.rope.scaling = scaling_named(reader, kType, reader.find_string(kType).value_or("none"));
  if (config.rope.scaling == nn::RopeScaling::kLinear) {
    config.rope.factor = reader.positive({nullptr, "rope.scaling.factor"});
  } else if (const auto factor = reader.find_positive({nullptr, "rope.scale_linear"})) {  // before scaling.type existed
    config.rope.scaling = nn::RopeScaling::kLinear;
    config.rope.factor = *factor;
  }
  constexpr Key kTurned{nullptr, "rope.dimension_count"};
  if (const auto turned = reader.find_dimension(kTurned); turned && *turned != config.head_dim) {
    reader.refuse(kTurned, core::text(*turned), core::text("the width of a head, ", config.head_dim));
  }
  read_gguf_divisors(tensors, config);
}

void read_gguf(const ConfigReader& reader, const io::Checkpoint& checkpoint, LlamaConfig& config) {
  const io::TensorSource& tensors = checkpoint.tensors;
  constexpr const char* kEmbedding = "token_embd.weight";
  const io::TensorEntry* embedding = tensors.find(kEmbedding);
  if (embedding == nullptr || embedding->shape.size() != 2) {
    throw core::UserError(core::text(tensors.where(), ": tensor \"", kEmbedding, "\" ",
                                     embedding == nullptr ? "is missing" : "is not a matrix",
                                     "; the model needs it as [vocabulary, ", config.hidden, "]"));
  }
  config.vocabulary = embedding->shape[0];
  config.says_tied = true;  // whenever output.weight is absent
  config.pairing = kernels::RopePairing::kInterleaved;
  constexpr Key kExperts{nullptr, "expert_count"};
  const std::int64_t experts = checkpoint.metadata.find_integer(reader.name(kExperts)).value_or(0);
  if (experts != 0) reader.refuse(kExperts, core::text(experts), "0, layers without experts");
  constexpr Key kValueWidth{nullptr, "attention.value_length"};
  if (const auto width = reader.find_dimension(kValueWidth); width && *width != config.head_dim) {
    reader.refuse(kValueWidth, core::text(*width), core::text("the width of a key, ", config.head_dim));
  }
  read_gguf_rope(reader, tensors, config);
}

}  // namespace

LlamaConfig read_llama_config(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "llama");
  LlamaConfig config;
  read_shape(reader, config);
  if (reader.gguf()) {
    read_gguf(reader, checkpoint, config);
  } else {
    read_hf(reader, config);
  }
  return config;
}

}  // namespace qzo::models
