// Phi-3 and Phi-4 (arXiv 2404.14219): Llama with one matrix for q, k, v and one for gate and up; longrope; heads may
// be turned in part. llama.cpp ignores the window that its own files state; here it counts, as in transformers.

#include "models/decoder/read_rope.h"
#include "models/decoder/read_shape.h"
#include "models/families/families.h"

namespace qzo::models {

DecoderSpec read_phi3(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "phi3");
  DecoderSpec spec = read_shape(reader, checkpoint, "phi3", {.default_positions = 4096});
  LayerNames& names = spec.names.in_layer;
  names.qkv = {"self_attn.qkv_proj", "attn_qkv"};
  names.gate_up = {"mlp.gate_up_proj", "ffn_up"};
  names.q = names.k = names.v = names.gate = names.up = {};
  spec.activation = read_activation(reader, {"hidden_act", nullptr}, "silu");
  spec.ropes = {read_rope(reader, checkpoint, spec, {.partial = true, .phi_types = true, .default_original = 4096})};
  set_windows(reader, spec, read_window(reader), [](std::int64_t) { return true; });
  return spec;
}

}  // namespace qzo::models
