// OPT (arXiv 2205.01068): learned positions, LayerNorm, ReLU, biases everywhere. opt-350m has its norms behind the
// blocks and narrower embeddings between two projections. llama.cpp does not know it.

#include "models/decoder/read_shape.h"
#include "models/families/families.h"

namespace qzo::models {

DecoderSpec read_opt(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "opt");
  constexpr Key kNone{};
  DecoderSpec spec = read_shape(reader, checkpoint, "opt",
                                {.intermediate = {"ffn_dim", nullptr},
                                 .kv_heads = kNone,
                                 .head_dim = kNone,
                                 .norm_eps = kNone,
                                 .tied_by_default = true});
  spec.root = find_root(checkpoint.tensors, {"model.decoder.", "decoder."}, "embed_tokens");
  DecoderNames& names = spec.names;
  names.positions = {"embed_positions", nullptr};
  names.project_in = {"project_in", nullptr};
  names.project_out = {"project_out", nullptr};
  names.final_norm = {"final_layer_norm", nullptr};
  LayerNames& layer = names.in_layer;
  layer.attention_norm = {"self_attn_layer_norm", nullptr};
  layer.mlp_norm = {"final_layer_norm", nullptr};
  layer.attention_out = {"self_attn.out_proj", nullptr};
  layer.up = {"fc1", nullptr};
  layer.down = {"fc2", nullptr};

  spec.embedding_width = reader.find_dimension({"word_embed_proj_dim", nullptr}).value_or(spec.hidden);
  spec.position_offset = 2;  // two rows that padding of the original code used
  spec.learned_positions = spec.max_positions + spec.position_offset;
  spec.norm = nn::NormKind::kLayer;
  spec.norm_eps = 1e-5F;
  spec.norm_affine = reader.find_flag({"layer_norm_elementwise_affine", nullptr}).value_or(true);
  const bool before = reader.find_flag({"do_layer_norm_before", nullptr}).value_or(true);
  spec.placement = before ? NormPlacement::kBefore : NormPlacement::kAfter;
  spec.final_norm = before && !reader.find_flag({"_remove_final_layer_norm", nullptr}).value_or(false);
  spec.activation = read_activation(reader, {"activation_function", nullptr}, "relu");
  spec.gated = false;
  const bool bias = reader.find_flag({"enable_bias", nullptr}).value_or(true);
  spec.qkv_bias = spec.attention_out_bias = spec.mlp_bias = bias;
  return spec;
}

}  // namespace qzo::models
