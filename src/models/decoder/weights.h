#pragma once
// The weights of a decoder, found by the names of its specification.

#include <optional>
#include <vector>

#include "qzo/models/causal_lm.h"
#include "qzo/nn/linear.h"
#include "qzo/nn/norm.h"

#include "models/decoder/spec.h"

namespace qzo::models {

struct DecoderLayer {
  nn::Norm attention_norm, mlp_norm;
  nn::Norm attention_out_norm, mlp_out_norm;  // NormPlacement::kAround only
  nn::Norm query_norm, key_norm;              // no weight: none
  std::vector<nn::Linear> qkv;                // q, k, v, or one matrix of all
  nn::Linear attention_out;
  std::vector<nn::Linear> mlp_in;  // gate and up, or one matrix of both; up alone where nothing is gated
  nn::Linear down;
};

struct DecoderWeights {
  quant::PackedWeight embedding;                 // [vocabulary, embedding_width]
  std::optional<quant::PackedWeight> positions;  // [learned_positions, hidden]
  std::optional<quant::PackedWeight> project_in, project_out;
  std::vector<DecoderLayer> layers;
  nn::Norm final_norm;                      // no weight: none
  std::optional<quant::PackedWeight> head;  // [vocabulary, embedding_width]; absent: the embedding serves
};

// UserError naming file and tensor for anything missing or inconsistent. `checkpoint` must outlive the result.
DecoderWeights load_decoder_weights(const io::Checkpoint& checkpoint, const DecoderSpec& spec,
                                    const ModelLoadOptions& options);

// Whether the head is a matrix of its own. Presence decides; the configuration only says whether absence is right.
bool has_own_head(const io::Checkpoint& checkpoint, const DecoderSpec& spec);

// All linears of a layer, in the order of computation.
std::vector<nn::Linear*> linears_of(DecoderLayer& layer);

}  // namespace qzo::models
