// Gemma 2 (arXiv 2408.00118): soft caps on scores and logits, every other layer slides.

#include <cmath>

#include "models/decoder/read_rope.h"
#include "models/families/families.h"
#include "models/families/gemma.h"

namespace qzo::models {

DecoderSpec read_gemma(const ConfigReader& reader, const io::Checkpoint& checkpoint, const char* family,
                       std::int64_t default_positions, std::int64_t big_layers) {
  DecoderSpec spec =
      read_shape(reader, checkpoint, family,
                 {.default_positions = default_positions, .default_head_dim = 256, .tied_by_default = true});
  LayerNames& names = spec.names.in_layer;
  names.attention_out_norm = {"post_attention_layernorm", "post_attention_norm"};
  names.mlp_norm = {"pre_feedforward_layernorm", "ffn_norm"};
  names.mlp_out_norm = {"post_feedforward_layernorm", "post_ffw_norm"};
  spec.placement = NormPlacement::kAround;
  spec.norm_offset = spec.gguf ? 0.0F : 1.0F;
  spec.activation = read_activation(reader, {"hidden_activation", nullptr}, "gelu_pytorch_tanh");
  spec.qkv_bias = reader.find_flag({"attention_bias", nullptr}).value_or(false);
  spec.attention_out_bias = spec.qkv_bias;
  spec.embedding_scale = std::sqrt(static_cast<float>(spec.hidden));
  const double width = static_cast<double>(spec.layers == big_layers ? spec.hidden / spec.heads : spec.head_dim);
  const double scalar = spec.gguf ? width : reader.find_positive({"query_pre_attn_scalar", nullptr}).value_or(256);
  spec.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  refuse_flag(reader, "use_bidirectional_attention");
  return spec;
}

void set_gemma_windows(const ConfigReader& reader, DecoderSpec& spec, std::optional<std::int64_t> window,
                       std::int64_t period) {
  set_windows(reader, spec, window, [period](std::int64_t layer) { return (layer + 1) % period != 0; });
}

DecoderSpec read_gemma2(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "gemma2");
  DecoderSpec spec = read_gemma(reader, checkpoint, "gemma2", 8192, 46);
  spec.attention_cap = read_cap(reader, {"attn_logit_softcapping", "attn_logit_softcapping"}, 50);
  spec.logit_cap = read_cap(reader, {"final_logit_softcapping", "final_logit_softcapping"}, 30);
  spec.ropes = {read_rope(reader, checkpoint, spec)};
  set_gemma_windows(reader, spec, read_window(reader, 4096), 2);
  return spec;
}

}  // namespace qzo::models
