// Gemma 3, text only (arXiv 2503.19786): norms over each head of q and k; sliding layers with a rotary base of their
// own, one in six sees everything.

#include <utility>

#include "qzo/core/text.h"

#include "models/decoder/read_rope.h"
#include "models/families/families.h"
#include "models/families/gemma.h"

namespace qzo::models {
namespace {

constexpr RopeReading kGlobal{.default_theta = 1e6};
constexpr RopeReading kLocal{
    .default_theta = 1e4, .theta = {"rope_local_base_freq", "rope.freq_base_swa"}, .scaled = false};

// transformers 5: rope_parameters.{full,sliding}_attention; before: keys of config.json, its rope_scaling for the
// layers that see everything.
nn::RopeSettings read_layer_rope(const ConfigReader& reader, const io::Checkpoint& checkpoint, const DecoderSpec& spec,
                                 const char* layer_type, const RopeReading& reading) {
  const auto parameters = reader.section("rope_parameters");
  if (!parameters) return read_rope(reader, checkpoint, spec, reading);
  const auto section = parameters->section(layer_type);
  if (!section) parameters->fail({layer_type, nullptr}, "is missing", "the rotary settings of these layers");
  return read_rope_section(reader, *section, spec, reading);
}

}  // namespace

DecoderSpec read_gemma3(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "gemma3");
  DecoderSpec spec = read_gemma(reader, checkpoint, "gemma3", 131072, 62);
  spec.names.in_layer.query_norm = {"self_attn.q_norm", "attn_q_norm"};
  spec.names.in_layer.key_norm = {"self_attn.k_norm", "attn_k_norm"};
  spec.attention_cap = read_cap(reader, {"attn_logit_softcapping", nullptr}, 0);
  spec.logit_cap = read_cap(reader, {"final_logit_softcapping", nullptr}, 0);
  spec.ropes = {read_layer_rope(reader, checkpoint, spec, "full_attention", kGlobal),
                read_layer_rope(reader, checkpoint, spec, "sliding_attention", kLocal)};
  const auto window = spec.gguf ? read_window(reader) : read_window(reader, 4096);
  set_gemma_windows(reader, spec, window, reader.find_dimension({"sliding_window_pattern", nullptr}).value_or(6));
  for (LayerSpec& layer : spec.layer) layer.rope = layer.window > 0 ? 1 : 0;
  return spec;
}

}  // namespace qzo::models
