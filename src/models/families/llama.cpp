// Llama (arXiv 2302.13971; grouped-query attention as in Llama 2 and 3): RMSNorm before each block, rotary embedding,
// SwiGLU. transformers LlamaConfig, or the keys llama.* of a GGUF file (Mistral's too).

#include "models/decoder/read_rope.h"
#include "models/decoder/read_shape.h"
#include "models/families/families.h"

namespace qzo::models {

DecoderSpec read_llama(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "llama");
  DecoderSpec spec = read_shape(reader, checkpoint, "llama");
  spec.qkv_bias = reader.find_flag({"attention_bias", nullptr}).value_or(false);
  spec.attention_out_bias = spec.qkv_bias;
  spec.mlp_bias = reader.find_flag({"mlp_bias", nullptr}).value_or(false);
  spec.activation = read_activation(reader, {"hidden_act", nullptr}, "silu");
  spec.ropes = {read_rope(reader, checkpoint, spec)};
  if (spec.gguf) spec.pairing = kernels::RopePairing::kInterleaved;
  return spec;
}

}  // namespace qzo::models
