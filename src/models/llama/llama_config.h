#pragma once
// Dimensions and settings of a Llama model: transformers LlamaConfig (spellings of version 4 and 5), or the keys
// llama.* of a GGUF file.

#include "qzo/models/causal_lm.h"
#include "qzo/nn/rope.h"

namespace qzo::models {

struct LlamaConfig {
  std::int64_t layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0, vocabulary = 0;
  std::int64_t query_width = 0;  // heads * head_dim
  std::int64_t key_width = 0;    // kv_heads * head_dim
  std::int64_t max_positions = 0;
  float norm_eps = 0;
  nn::RopeSettings rope;
  kernels::RopePairing pairing = kernels::RopePairing::kHalf;
  bool attention_bias = false, mlp_bias = false;
  bool says_tied = false;  // what the configuration claims; the tensors decide
};

// UserError naming file and key for anything missing, inconsistent or not built.
LlamaConfig read_llama_config(const io::Checkpoint& checkpoint);

}  // namespace qzo::models
