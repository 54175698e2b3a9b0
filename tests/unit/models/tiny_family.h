#pragma once
// Models of a few kilobytes of every family, with random dense fp32 weights: a Hugging Face folder, and the GGUF file
// that llama.cpp's converter makes of it.

#include <cmath>
#include <functional>
#include <utility>

#include <nlohmann/json.hpp>

#include "qzo/models/causal_lm.h"

#include "unit/quant/checkpoints.h"

namespace qzo::models::testing {

using io::testing::expect_user_error;
using io::testing::TempFolder;

// hidden 16, 4 heads of 4 (2 key heads but for GPT-2 and OPT), intermediate 24, 2 layers, vocabulary 30.
class TinyFamily {
 public:
  using Shape = std::vector<std::int64_t>;

  nlohmann::json config;
  quant::testing::StoredTensors tensors;

  explicit TinyFamily(const std::string& model_type) {
    config["model_type"] = model_type;
    if (model_type == "gpt2") {
      make_gpt2();
    } else if (model_type == "opt") {
      make_opt();
    } else {
      make_like_llama(model_type);
    }
  }

  io::Checkpoint write(const std::filesystem::path& folder) const {
    quant::testing::write_folder(folder, config.dump(), tensors);
    return io::open_checkpoint(folder);
  }

  void floats(const std::string& name, const Shape& shape, float spread, float middle = 0) {
    quant::testing::StoredTensor tensor{core::Dtype::kF32, shape, {}};
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    for (std::int64_t i = 0; i < count; ++i)
      tensor.bytes +=
          quant::testing::little_endian(middle + spread * (static_cast<float>(bits_.below(2001)) / 1000.0F - 1.0F));
    tensors[name] = tensor;
  }

  // Numbers of a tensor, changed; rows of [out, in] become columns if `turned`.
  static quant::testing::StoredTensor changed(const quant::testing::StoredTensor& tensor,
                                              const std::function<float(float)>& change, bool turned = false) {
    quant::testing::StoredTensor result{core::Dtype::kF32, tensor.shape, {}};
    std::vector<float> values(tensor.bytes.size() / 4);
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    const auto columns = static_cast<std::size_t>(tensor.shape.back()), rows = values.size() / columns;
    if (turned) std::swap(result.shape[0], result.shape[1]);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t from = turned ? i % rows * columns + i / rows : i;
      result.bytes += quant::testing::little_endian(change(values[from]));
    }
    return result;
  }

 private:
  void matrix(const std::string& stem, std::int64_t out, std::int64_t in, bool bias) {
    floats(stem + ".weight", {out, in}, 0.5F);
    if (bias) floats(stem + ".bias", {out}, 0.3F);
  }
  void norm(const std::string& stem, std::int64_t width, float middle = 1, bool bias = false) {
    floats(stem + ".weight", {width}, 0.2F, middle);
    if (bias) floats(stem + ".bias", {width}, 0.2F);
  }

  void make_like_llama(const std::string& family) {
    const bool gemma = family.starts_with("gemma"), fused = family == "phi3";
    config.update({{"hidden_size", 16},
                   {"intermediate_size", 24},
                   {"num_hidden_layers", 2},
                   {"num_attention_heads", 4},
                   {"num_key_value_heads", 2},
                   {"head_dim", 4},
                   {"vocab_size", 30},
                   {"rms_norm_eps", 1e-5},
                   {"max_position_embeddings", 64},
                   {"tie_word_embeddings", true}});
    if (gemma) config.update({{"query_pre_attn_scalar", 4}, {"sliding_window", 3}});
    if (family == "mistral" || family == "phi3") config["sliding_window"] = 3;
    const float middle = gemma ? 0 : 1;
    floats("model.embed_tokens.weight", {30, 16}, 1);
    for (const int layer : {0, 1}) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".";
      norm(prefix + "input_layernorm", 16, middle);
      norm(prefix + "post_attention_layernorm", 16, middle);
      if (gemma) {
        norm(prefix + "pre_feedforward_layernorm", 16, middle);
        norm(prefix + "post_feedforward_layernorm", 16, middle);
      }
      if (family == "qwen3" || family == "gemma3_text") {
        norm(prefix + "self_attn.q_norm", 4, middle);
        norm(prefix + "self_attn.k_norm", 4, middle);
      }
      if (fused) {
        matrix(prefix + "self_attn.qkv_proj", 32, 16, false);
        matrix(prefix + "mlp.gate_up_proj", 48, 16, false);
      } else {
        matrix(prefix + "self_attn.q_proj", 16, 16, family == "qwen2");
        matrix(prefix + "self_attn.k_proj", 8, 16, family == "qwen2");
        matrix(prefix + "self_attn.v_proj", 8, 16, family == "qwen2");
        matrix(prefix + "mlp.gate_proj", 24, 16, false);
        matrix(prefix + "mlp.up_proj", 24, 16, false);
      }
      matrix(prefix + "self_attn.o_proj", 16, 16, false);
      matrix(prefix + "mlp.down_proj", 16, 24, false);
    }
    norm("model.norm", 16, middle);
  }

  void make_gpt2() {
    config.update({{"n_embd", 16},
                   {"n_layer", 2},
                   {"n_head", 4},
                   {"n_positions", 12},
                   {"n_inner", 24},
                   {"vocab_size", 30},
                   {"layer_norm_epsilon", 1e-5}});
    floats("transformer.wte.weight", {30, 16}, 1);
    floats("transformer.wpe.weight", {12, 16}, 1);
    for (const int layer : {0, 1}) {
      const std::string prefix = "transformer.h." + std::to_string(layer) + ".";
      norm(prefix + "ln_1", 16, 1, true);
      norm(prefix + "ln_2", 16, 1, true);
      for (const auto& [name, in, out] : std::vector<std::tuple<const char*, std::int64_t, std::int64_t>>{
               {"attn.c_attn", 16, 48}, {"attn.c_proj", 16, 16}, {"mlp.c_fc", 16, 24}, {"mlp.c_proj", 24, 16}}) {
        floats(prefix + name + ".weight", {in, out}, 0.5F);
        floats(prefix + name + ".bias", {out}, 0.3F);
      }
    }
    norm("transformer.ln_f", 16, 1, true);
  }

  void make_opt() {
    config.update({{"hidden_size", 16},
                   {"ffn_dim", 24},
                   {"num_hidden_layers", 2},
                   {"num_attention_heads", 4},
                   {"max_position_embeddings", 12},
                   {"vocab_size", 30}});
    floats("model.decoder.embed_tokens.weight", {30, 16}, 1);
    floats("model.decoder.embed_positions.weight", {14, 16}, 1);
    for (const int layer : {0, 1}) {
      const std::string prefix = "model.decoder.layers." + std::to_string(layer) + ".";
      norm(prefix + "self_attn_layer_norm", 16, 1, true);
      norm(prefix + "final_layer_norm", 16, 1, true);
      for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"})
        matrix(prefix + name, 16, 16, true);
      matrix(prefix + "fc1", 24, 16, true);
      matrix(prefix + "fc2", 16, 24, true);
    }
    norm("model.decoder.final_layer_norm", 16, 1, true);
  }

  quant::testing::Bits bits_{5};
};

}  // namespace qzo::models::testing
