#pragma once
// What distinguishes one decoder-only transformer from another: a family's reader fills it from the checkpoint's
// configuration, the loader of weights and the forward pass follow it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "qzo/kernels/transformer.h"
#include "qzo/nn/norm.h"
#include "qzo/nn/rope.h"

namespace qzo::models {

enum class NormPlacement : std::uint8_t {
  kBefore,  // x += f(norm(x))
  kAfter,   // x = norm(x + f(x)); no norm behind the last layer
  kAround,  // x += out_norm(f(norm(x)))
};

// A stem of tensor names ("self_attn.q_proj", "attn_q"); null: this format has no such tensor.
struct TensorName {
  const char* hf = nullptr;
  const char* gguf = nullptr;
};

// Of a layer, behind `layer` + "N.". A fused product has one matrix, whose rows are those of its parts one after
// the other, and the names of the parts are null.
struct LayerNames {
  TensorName attention_norm, attention_out_norm, mlp_norm, mlp_out_norm;
  TensorName query_norm, key_norm;  // [head_dim], before the rotation; null: none
  TensorName qkv;                   // rows of q, k, v
  TensorName q, k, v;
  TensorName attention_out;
  TensorName gate_up;  // rows of gate, up
  TensorName gate, up;
  TensorName down;
};

// Behind DecoderSpec::root, but for the head.
struct DecoderNames {
  TensorName embedding, positions, project_in, project_out, layer, final_norm, head;
  LayerNames in_layer;
};

struct LayerSpec {
  std::int64_t window = 0;  // a row at position p sees positions above p - window; 0: all before it
  std::size_t rope = 0;     // index into DecoderSpec::ropes
};

struct DecoderSpec {
  std::string family;
  std::int64_t layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0, vocabulary = 0;
  std::int64_t max_positions = 0;
  std::int64_t embedding_width = 0;  // of embedding and head; other than hidden: project_in and project_out
  bool says_tied = false;            // what the configuration claims of the head; the tensors decide

  nn::NormKind norm = nn::NormKind::kRms;
  NormPlacement placement = NormPlacement::kBefore;
  float norm_eps = 0;
  float norm_offset = 0;    // added to stored norm weights (Gemma: 1)
  bool norm_affine = true;  // false: norms without weight and bias
  bool final_norm = true;

  kernels::Activation activation = kernels::Activation::kSilu;
  bool gated = true;
  // Whether the configuration asks for biases.
  bool qkv_bias = false, attention_out_bias = false, mlp_bias = false;
  bool transposed = false;  // dense matrices of the layers are stored as [in, out]

  std::vector<LayerSpec> layer;         // [layers]
  std::vector<nn::RopeSettings> ropes;  // empty: no rotary embedding
  kernels::RopePairing pairing = kernels::RopePairing::kHalf;
  std::int64_t learned_positions = 0;  // rows of their table; 0: none
  std::int64_t position_offset = 0;    // row of position 0

  float embedding_scale = 1;
  float attention_scale = 1;  // of q k^T
  float attention_cap = 0;    // scores -> cap tanh(score / cap); 0: none
  float logit_cap = 0;

  std::string root;    // "model."
  DecoderNames names;  // the format's own spelling is chosen by `gguf`
  bool gguf = false;

  [[nodiscard]] std::int64_t query_width() const { return heads * head_dim; }
  [[nodiscard]] std::int64_t key_width() const { return kv_heads * head_dim; }
  [[nodiscard]] const char* own(TensorName name) const { return gguf ? name.gguf : name.hf; }
};

}  // namespace qzo::models
