// GPT-2: learned positions, LayerNorm, GELU, one matrix for q, k, v, biases everywhere. Hugging Face stores its
// matrices as [in, out] (Conv1D), GGUF as everybody else.

#include "models/decoder/read_shape.h"
#include "models/families/families.h"

namespace qzo::models {
namespace {

constexpr ShapeKeys kKeys{.hidden = {"n_embd", "embedding_length"},
                          .intermediate = {"n_inner", "feed_forward_length"},
                          .layers = {"n_layer", "block_count"},
                          .heads = {"n_head", "attention.head_count"},
                          .kv_heads = {},
                          .head_dim = {},
                          .max_positions = {"n_positions", "context_length"},
                          .norm_eps = {"layer_norm_epsilon", "attention.layer_norm_epsilon"},
                          .default_positions = 1024,
                          .intermediate_factor = 4,
                          .tied_by_default = true};

DecoderNames gpt2_names() {
  DecoderNames names;
  names.embedding = {"wte", "token_embd"};
  names.positions = {"wpe", "position_embd"};
  names.layer = {"h.", "blk."};
  names.final_norm = {"ln_f", "output_norm"};
  names.head = {"lm_head", "output"};
  LayerNames& layer = names.in_layer;
  layer.attention_norm = {"ln_1", "attn_norm"};
  layer.mlp_norm = {"ln_2", "ffn_norm"};
  layer.qkv = {"attn.c_attn", "attn_qkv"};
  layer.attention_out = {"attn.c_proj", "attn_output"};
  layer.up = {"mlp.c_fc", "ffn_up"};
  layer.down = {"mlp.c_proj", "ffn_down"};
  return names;
}

}  // namespace

DecoderSpec read_gpt2(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "gpt2");
  DecoderSpec spec = read_shape(reader, checkpoint, "gpt2", kKeys);
  spec.names = gpt2_names();
  if (!spec.gguf) spec.root = find_root(checkpoint.tensors, {"transformer.", ""}, "wte");
  spec.transposed = !spec.gguf;
  spec.learned_positions = spec.max_positions;
  spec.norm = nn::NormKind::kLayer;
  spec.activation = read_activation(reader, {"activation_function", nullptr}, "gelu_new");
  spec.gated = false;
  spec.qkv_bias = spec.attention_out_bias = spec.mlp_bias = true;
  if (!reader.find_flag({"scale_attn_weights", nullptr}).value_or(true)) spec.attention_scale = 1;
  refuse_flag(reader, "scale_attn_by_inverse_layer_idx");
  refuse_flag(reader, "add_cross_attention");
  return spec;
}

}  // namespace qzo::models
