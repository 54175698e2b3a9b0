#pragma once
// Every family's reader: the checkpoint's configuration as a DecoderSpec. UserError naming file and key for anything
// missing, inconsistent or not built. One file each; a new one is entered here and in registry.cpp.

#include "qzo/io/checkpoint.h"

#include "models/decoder/spec.h"

namespace qzo::models {

DecoderSpec read_gemma2(const io::Checkpoint& checkpoint);
DecoderSpec read_gemma3(const io::Checkpoint& checkpoint);
DecoderSpec read_gpt2(const io::Checkpoint& checkpoint);
DecoderSpec read_llama(const io::Checkpoint& checkpoint);
DecoderSpec read_mistral(const io::Checkpoint& checkpoint);
DecoderSpec read_opt(const io::Checkpoint& checkpoint);
DecoderSpec read_phi3(const io::Checkpoint& checkpoint);
DecoderSpec read_qwen2(const io::Checkpoint& checkpoint);
DecoderSpec read_qwen3(const io::Checkpoint& checkpoint);

}  // namespace qzo::models
