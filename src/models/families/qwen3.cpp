// Qwen3 (arXiv 2505.09388): Llama with norms over each head of q and k, before the rotation.

#include "models/decoder/read_rope.h"
#include "models/decoder/read_shape.h"
#include "models/families/families.h"
#include "models/families/qwen.h"

namespace qzo::models {

DecoderSpec read_qwen3(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "qwen3");
  DecoderSpec spec = read_shape(reader, checkpoint, "qwen3", {.default_positions = 32768, .default_head_dim = 128});
  spec.names.in_layer.query_norm = {"self_attn.q_norm", "attn_q_norm"};
  spec.names.in_layer.key_norm = {"self_attn.k_norm", "attn_k_norm"};
  spec.qkv_bias = reader.find_flag({"attention_bias", nullptr}).value_or(false);
  spec.attention_out_bias = spec.qkv_bias;
  spec.activation = read_activation(reader, {"hidden_act", nullptr}, "silu");
  spec.ropes = {read_rope(reader, checkpoint, spec)};
  read_qwen_windows(reader, spec);
  return spec;
}

}  // namespace qzo::models
