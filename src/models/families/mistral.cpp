// Mistral (arXiv 2310.06825): Llama with a sliding window in every layer and heads of any width. GGUF files carry it
// as llama.

#include "models/decoder/read_rope.h"
#include "models/decoder/read_shape.h"
#include "models/families/families.h"

namespace qzo::models {

DecoderSpec read_mistral(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "mistral");
  DecoderSpec spec = read_shape(reader, checkpoint, "mistral", {.default_positions = 131072});
  spec.activation = read_activation(reader, {"hidden_act", nullptr}, "silu");
  spec.ropes = {read_rope(reader, checkpoint, spec)};
  set_windows(reader, spec, read_window(reader, 4096), [](std::int64_t) { return true; });
  return spec;
}

}  // namespace qzo::models
