#pragma once
// The weights of a Llama model and the table of their names.

#include <functional>
#include <optional>
#include <vector>

#include "qzo/nn/linear.h"

#include "models/llama/llama_config.h"

namespace qzo::models {

struct LlamaLayer {
  std::vector<float> attention_norm, mlp_norm;  // [hidden]
  nn::Linear q, k, v, o, gate, up, down;
};

struct LlamaWeights {
  quant::PackedWeight embedding;  // [vocabulary, hidden]
  std::vector<LlamaLayer> layers;
  std::vector<float> final_norm;            // [hidden]
  std::optional<quant::PackedWeight> head;  // [vocabulary, hidden]; absent: the embedding serves
};

// UserError naming file and tensor for anything missing or inconsistent. `checkpoint` must outlive the result.
LlamaWeights load_llama_weights(const io::Checkpoint& checkpoint, const LlamaConfig& config,
                                const ModelLoadOptions& options);

// Whether the head is a matrix of its own. Presence decides; the configuration only says whether absence is right.
bool has_own_head(const io::Checkpoint& checkpoint, const LlamaConfig& config);

// All linears of a layer, in the order of computation.
std::vector<nn::Linear*> linears_of(LlamaLayer& layer);

}  // namespace qzo::models
