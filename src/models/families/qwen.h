#pragma once
// What the generations of Qwen share.

#include "models/config_reader.h"
#include "models/decoder/spec.h"

namespace qzo::models {

// Sliding windows from layer max_window_layers on, but only if use_sliding_window; GGUF files have none.
void read_qwen_windows(const ConfigReader& reader, DecoderSpec& spec);

}  // namespace qzo::models
