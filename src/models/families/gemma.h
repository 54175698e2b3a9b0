#pragma once
// What the generations of Gemma share.

#include "models/config_reader.h"
#include "models/decoder/read_shape.h"

namespace qzo::models {

// Norms around both blocks, their stored weights lacking 1 in config.json's format; embeddings times sqrt(hidden); tied
// head. `big_layers`: layer count of the one size whose GGUF files mean hidden / heads, not head_dim, by the scale of
// the scores (llama.cpp decides so; the key is not in the file).
DecoderSpec read_gemma(const ConfigReader& reader, const io::Checkpoint& checkpoint, const char* family,
                       std::int64_t default_positions, std::int64_t big_layers);

// Every layer slides but each `period`-th.
void set_gemma_windows(const ConfigReader& reader, DecoderSpec& spec, std::optional<std::int64_t> window,
                       std::int64_t period);

}  // namespace qzo::models
