// Qwen2 and Qwen2.5 (arXiv 2407.10671): Llama with biases on q, k and v.

#include "models/decoder/read_rope.h"
#include "models/decoder/read_shape.h"
#include "models/families/families.h"
#include "models/families/qwen.h"

namespace qzo::models {

void read_qwen_windows(const ConfigReader& reader, DecoderSpec& spec) {
  if (reader.gguf()) return;
  const bool in_use = reader.find_flag({"use_sliding_window", nullptr}).value_or(false);
  const std::int64_t from = reader.find_count({"max_window_layers", nullptr}).value_or(28);
  set_windows(reader, spec, in_use ? read_window(reader, 4096) : std::nullopt,
              [from](std::int64_t layer) { return layer >= from; });
}

DecoderSpec read_qwen2(const io::Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint, "qwen2");
  DecoderSpec spec = read_shape(reader, checkpoint, "qwen2", {.default_positions = 32768});
  spec.qkv_bias = true;
  spec.activation = read_activation(reader, {"hidden_act", nullptr}, "silu");
  spec.ropes = {read_rope(reader, checkpoint, spec)};
  read_qwen_windows(reader, spec);
  return spec;
}

}  // namespace qzo::models
