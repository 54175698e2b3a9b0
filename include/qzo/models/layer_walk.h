#pragma once
// A decoder model layer by layer, for who wants to see what enters its linear layers and to change their weights on the
// way (calibrated quantization). T tokens of a batch, C hidden width.
//
// A layer has two blocks, attention and feed-forward. A block begins with linears that share an input (q, k, v; gate,
// up) and ends with one linear behind the inner part (attention output; down):
//
//   entrance   the input of the first linears of the block, from the residual stream x
//   inner      the input of its last linear: the first ones and what lies between computed
//   advance    the residual stream behind the block

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/models/causal_lm.h"
#include "qzo/models/packed_batch.h"
#include "qzo/nn/linear.h"

namespace qzo::models {

struct Block {
  std::vector<nn::Linear*> first;  // at least one
  nn::Linear* last = nullptr;
};

class LayerWalk {
 public:
  virtual ~LayerWalk() = default;
  // All layers, each with its attention block and its feed-forward block, in the order of computation. A weight may be
  // replaced by one of the same shape at any time; the linears belong to the model.
  virtual std::vector<Block> blocks() = 0;

  // Residual stream at the entrance of the first block: [T, C] fp32. UserError for tokens that the model does not have.
  virtual at::Tensor embed(const PackedBatch& batch) = 0;
  // `block` counts those of blocks(). fp32, on the weights as they are now; [T, in] of the linears.
  virtual at::Tensor entrance(std::size_t block, const at::Tensor& x) = 0;
  virtual at::Tensor inner(std::size_t block, const at::Tensor& x, const PackedBatch& batch) = 0;
  virtual at::Tensor advance(std::size_t block, at::Tensor x, const PackedBatch& batch) = 0;
};

// Of a loaded model, which must outlive it.
LayerWalk& layer_walk(CausalLm& model);

}  // namespace qzo::models
