#pragma once
// A Llama of a few kilobytes in a Hugging Face folder: GPTQ linears, fp32 embedding, tied head, random weights.

#include <nlohmann/json.hpp>

#include "qzo/models/causal_lm.h"

#include "unit/quant/checkpoints.h"

namespace qzo::models::testing {

using io::testing::expect_user_error;
using io::testing::TempFolder;

struct TinyLlama {
  std::size_t hidden = 32, intermediate = 48, heads = 4, kv_heads = 2, vocabulary = 40, layers = 2;
  nlohmann::json config;
  quant::testing::StoredTensors tensors;

  TinyLlama() {
    config = {
        {"model_type", "llama"},
        {"hidden_size", hidden},
        {"intermediate_size", intermediate},
        {"num_hidden_layers", layers},
        {"num_attention_heads", heads},
        {"num_key_value_heads", kv_heads},
        {"vocab_size", vocabulary},
        {"rms_norm_eps", 1e-5},
        {"tie_word_embeddings", true},
        {"quantization_config",
         {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 16}, {"sym", false}, {"checkpoint_format", "gptq"}}}};
    floats("model.embed_tokens.weight", {vocabulary, hidden}, 1.0F);
    const std::size_t key_width = hidden / heads * kv_heads;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".";
      floats(prefix + "input_layernorm.weight", {hidden}, 0.2F, 1.0F);
      floats(prefix + "post_attention_layernorm.weight", {hidden}, 0.2F, 1.0F);
      linear(prefix + "self_attn.q_proj", hidden, hidden);
      linear(prefix + "self_attn.k_proj", key_width, hidden);
      linear(prefix + "self_attn.v_proj", key_width, hidden);
      linear(prefix + "self_attn.o_proj", hidden, hidden);
      linear(prefix + "mlp.gate_proj", intermediate, hidden);
      linear(prefix + "mlp.up_proj", intermediate, hidden);
      linear(prefix + "mlp.down_proj", hidden, intermediate);
    }
    floats("model.norm.weight", {hidden}, 0.2F, 1.0F);
  }

  io::Checkpoint write(const std::filesystem::path& folder) const {
    quant::testing::write_folder(folder, config.dump(), tensors);
    return io::open_checkpoint(folder);
  }

  void floats(const std::string& name, const std::vector<std::size_t>& shape, float spread, float middle = 0) {
    quant::testing::StoredTensor tensor{core::Dtype::kF32, {}, {}};
    std::size_t count = 1;
    for (const std::size_t size : shape) {
      count *= size;
      tensor.shape.push_back(static_cast<std::int64_t>(size));
    }
    for (std::size_t i = 0; i < count; ++i) {
      const float value = middle + spread * (static_cast<float>(bits_.below(2001)) / 1000.0F - 1.0F);
      tensor.bytes += quant::testing::little_endian(value);
    }
    tensors[name] = tensor;
  }

 private:
  void linear(const std::string& stem, std::size_t out, std::size_t in) {
    quant::testing::GptqLayer layer(in, 16, out, ++seed_);
    for (float& scale : layer.scales) scale /= 16.0F;  // 0.0005 to 0.03
    for (auto& [name, tensor] : layer.tensors()) tensors[stem + name.substr(name.find('.'))] = tensor;
  }

  quant::testing::Bits bits_{3};
  std::uint64_t seed_ = 0;
};

}  // namespace qzo::models::testing
