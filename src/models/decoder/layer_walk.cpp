#include "qzo/models/layer_walk.h"

#include <utility>

#include "qzo/core/check.h"

#include "models/decoder/decoder.h"
#include "models/decoder/pass.h"

namespace qzo::models {
namespace {

bool is_attention(std::size_t block) { return block % 2 == 0; }

}  // namespace

nn::Walk Decoder::plain_walk() {
  return {.scales = {.rounded = true}, .precision = ops::Precision::kFp32, .signs = 1, .buffers = buffers_};
}

std::vector<Block> Decoder::blocks() {
  const auto pointers = [](std::vector<nn::Linear>& linears) {
    std::vector<nn::Linear*> all;
    for (nn::Linear& linear : linears) all.push_back(&linear);
    return all;
  };
  std::vector<Block> blocks;
  for (DecoderLayer& layer : weights_.layers) {
    blocks.push_back({.first = pointers(layer.qkv), .last = &layer.attention_out});
    blocks.push_back({.first = pointers(layer.mlp_in), .last = &layer.down});
  }
  return blocks;
}

at::Tensor Decoder::embed(const PackedBatch& batch) {
  check_batch(batch);
  return embedded(batch);
}

at::Tensor Decoder::entrance(std::size_t block, const at::Tensor& x) {
  const DecoderLayer& layer = weights_.layers.at(block / 2);
  return enter(is_attention(block) ? layer.attention_norm : layer.mlp_norm, x);
}

at::Tensor Decoder::inner(std::size_t block, const at::Tensor& x, const PackedBatch& batch) {
  const Pass pass(batch, ropes_, plain_walk());
  if (is_attention(block)) return attend(block / 2, entrance(block, x), pass, Rows::kAll);
  return feed_forward(weights_.layers.at(block / 2), entrance(block, x), pass);
}

at::Tensor Decoder::advance(std::size_t block, at::Tensor x, const PackedBatch& batch) {
  const Pass pass(batch, ropes_, plain_walk());
  return is_attention(block) ? run_attention(block / 2, std::move(x), pass, Rows::kAll)
                             : run_feed_forward(block / 2, std::move(x), pass);
}

LayerWalk& layer_walk(CausalLm& model) {
  auto* walk = dynamic_cast<LayerWalk*>(&model);
  QZO_CHECK(walk != nullptr, "a model without layers");
  return *walk;
}

}  // namespace qzo::models
