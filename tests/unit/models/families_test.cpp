// Families but Llama: what their configurations may say, and that all ways to compute the same thing agree. Absolute
// numbers: tests/integration/oracle_tests.cpp.

#include <algorithm>

#include <ATen/ATen.h>

#include "unit/models/tiny_family.h"

namespace qzo::models {
namespace {

using testing::expect_user_error;
using testing::TempFolder;
using testing::TinyFamily;

using Ids = std::vector<std::int32_t>;

PackedBatch whole(const Ids& ids) {
  PackedBatch batch;
  batch.add(ids);
  for (std::int64_t row = 0; row < batch.rows(); ++row) batch.scored.push_back(row);
  return batch;
}

class Family : public ::testing::TestWithParam<const char*> {
 protected:
  TempFolder folder_;
  io::Checkpoint checkpoint_ = TinyFamily(GetParam()).write(folder_.path());
  std::unique_ptr<CausalLm> model_ = load_causal_lm(checkpoint_);
};

// Sequences are longer than the sliding windows (3).
TEST_P(Family, SharedPrefixesEqualWholeSequences) {
  PackedBatch batch;
  const std::int64_t prompt = batch.add(Ids{1, 7, 3, 12});
  const std::int64_t longer = batch.add(Ids{22, 9, 2}, prompt);
  batch.add(Ids{4, 4}, prompt);
  batch.add(Ids{17}, longer);
  batch.scored = {3, 4, 5, 6, 7, 8, 9};
  const at::Tensor shared = model_->forward(batch, {});
  const at::Tensor a = model_->forward(whole({1, 7, 3, 12, 22, 9, 2, 17}), {});
  const at::Tensor b = model_->forward(whole({1, 7, 3, 12, 4, 4}), {});
  EXPECT_TRUE(at::equal(shared.narrow(0, 0, 4), a.narrow(0, 3, 4)));
  EXPECT_TRUE(at::equal(shared.narrow(0, 4, 2), b.narrow(0, 4, 2)));
  EXPECT_TRUE(at::equal(shared[6], a[7]));
  EXPECT_TRUE(at::isfinite(a).all().item<bool>());
}

TEST_P(Family, EveryTokenAndItsPlaceMatter) {
  const at::Tensor plain = model_->forward(whole({1, 7, 3, 12}), {});
  const at::Tensor swapped = model_->forward(whole({7, 1, 3, 12}), {});
  EXPECT_GT((plain[3] - swapped[3]).abs().max().item<double>(), 1e-4);
}

TEST_P(Family, TokenLogitsAndLogProbabilitiesAgreeWithLogits) {
  const at::Tensor hidden = model_->forward(whole({1, 7, 3}), {});
  const at::Tensor full = model_->logits(hidden, {});
  const Ids tokens = {29, 0};
  EXPECT_TRUE(at::equal(model_->token_logits(hidden, tokens, {}).select(1, 0), full.select(1, 29)));
  const at::Tensor expected = at::log_softmax(full.to(at::kDouble), 1);
  const std::vector<float> scores = model_->log_probabilities(hidden, Ids{5, 6, 7}, {});
  for (std::int64_t r = 0; r < 3; ++r)
    EXPECT_NEAR(scores[static_cast<std::size_t>(r)], expected[r][5 + r].item<double>(), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Families, Family,
                         ::testing::Values("mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3_text", "opt", "gpt2"),
                         [](const auto& test) { return std::string(test.param); });

// ---- GGUF: the tensors of the folder under llama.cpp's names give the same bits

// Replaced in order.
const std::vector<std::pair<const char*, const char*>> kCommonNames = {
    {"model.layers.", "blk."},
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"input_layernorm", "attn_norm"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"self_attn.qkv_proj", "attn_qkv"},
    {"mlp.gate_up_proj", "ffn_up"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};
const std::vector<std::pair<const char*, const char*>> kGpt2Names = {{"transformer.h.", "blk."},
                                                                     {"transformer.wte", "token_embd"},
                                                                     {"transformer.wpe", "position_embd"},
                                                                     {"transformer.ln_f", "output_norm"},
                                                                     {"ln_1", "attn_norm"},
                                                                     {"ln_2", "ffn_norm"},
                                                                     {"attn.c_attn", "attn_qkv"},
                                                                     {"attn.c_proj", "attn_output"},
                                                                     {"mlp.c_fc", "ffn_up"},
                                                                     {"mlp.c_proj", "ffn_down"}};

class GgufFamily : public ::testing::TestWithParam<std::pair<const char*, const char*>> {
 protected:
  static std::string gguf_name(std::string name, bool gemma, bool gpt2) {
    auto names = gpt2 ? kGpt2Names : kCommonNames;
    names.emplace_back("post_attention_layernorm", gemma ? "post_attention_norm" : "ffn_norm");
    for (const auto& [from, to] : names) {
      const std::size_t at = name.find(from);
      if (at != std::string::npos) name.replace(at, std::string_view(from).size(), to);
    }
    return name;
  }

  static void convert(const TinyFamily& tiny, const std::string& architecture, const std::filesystem::path& file) {
    const bool gemma = architecture.starts_with("gemma"), gpt2 = architecture == "gpt2";
    io::testing::GgufBuilder builder;
    const auto count = [&](const char* key, std::uint32_t value) {
      builder.pair(architecture + "." + key, 4, quant::testing::little_endian(value));
    };
    builder.pair("general.architecture", 8, io::testing::gguf_string(architecture));
    count("block_count", 2);
    count("embedding_length", 16);
    count("feed_forward_length", 24);
    count("context_length", gpt2 ? 12U : 64U);
    count("attention.head_count", 4);
    count("attention.head_count_kv", gpt2 ? 4U : 2U);
    builder.pair(architecture + (gpt2 ? ".attention.layer_norm_epsilon" : ".attention.layer_norm_rms_epsilon"), 6,
                 quant::testing::little_endian(1e-5F));
    if (tiny.config.contains("sliding_window")) count("attention.sliding_window", 3);
    for (const auto& [name, tensor] : tiny.tensors) {
      const bool is_norm = name.find("norm") != std::string::npos;
      const bool turned = gpt2 && tensor.shape.size() == 2 && name.find(".h.") != std::string::npos;
      const auto stored = TinyFamily::changed(
          tensor, [&](float v) { return gemma && is_norm ? v + 1.0F : v; }, turned);
      std::vector<std::uint64_t> dimensions(stored.shape.rbegin(), stored.shape.rend());
      builder.tensor(gguf_name(name, gemma, gpt2), dimensions, 0, builder.data.size());
      builder.data += stored.bytes;
      builder.data.resize((builder.data.size() + 31) / 32 * 32, '\0');
    }
    io::testing::write_file(file, builder.bytes());
  }
};

TEST_P(GgufFamily, GivesTheBitsOfTheFolder) {
  const auto& [family, architecture] = GetParam();
  const TempFolder folder;
  const TinyFamily tiny(family);
  const io::Checkpoint hf = tiny.write(folder.path() / "hf");
  convert(tiny, architecture, folder.path() / "a.gguf");
  const io::Checkpoint gguf = io::open_checkpoint(folder.path() / "a.gguf");
  const std::unique_ptr<CausalLm> a = load_causal_lm(hf), b = load_causal_lm(gguf);
  const PackedBatch batch = whole({1, 7, 3, 12, 22, 9, 2});
  const at::Tensor x = a->forward(batch, {}), y = b->forward(batch, {});
  EXPECT_TRUE(at::equal(x, y)) << (x - y).abs().max().item<double>();
  EXPECT_TRUE(at::equal(a->logits(x, {}), b->logits(y, {})));
}

INSTANTIATE_TEST_SUITE_P(Families, GgufFamily,
                         ::testing::Values(std::pair{"qwen2", "qwen2"}, std::pair{"qwen3", "qwen3"},
                                           std::pair{"phi3", "phi3"}, std::pair{"gemma2", "gemma2"},
                                           std::pair{"gemma3_text", "gemma3"}, std::pair{"gpt2", "gpt2"}),
                         [](const auto& test) { return std::string(test.param.second); });

// ---- configurations

struct Trap {
  const char* family;
  const char* patch;  // merged into config.json (RFC 7396: null removes)
  std::initializer_list<std::string_view> parts;
};

TEST(FamilyConfig, WhatIsWrongOrNotBuiltIsNamed) {
  const Trap traps[] = {
      {"mistral", R"({"num_attention_heads": null})", {"config.json: num_attention_heads is missing"}},
      {"mistral", R"({"sliding_window": 0})", {"sliding_window is 0"}},
      {"mistral", R"({"layer_types": ["full_attention"]})", {"layer_types has 1 entries", "2, one for each layer"}},
      {"mistral",
       R"({"layer_types": ["full_attention", "chunked_attention"]})",
       {"layer_types \"chunked_attention\" is not supported"}},
      {"mistral", R"({"layer_types": 3})", {"layer_types is \"3\"", "a list of strings"}},
      {"qwen2",
       R"({"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4})",
       {"layer_types has sliding_attention", "no sliding_window is in use"}},
      {"qwen2", R"({"max_window_layers": -1})", {"max_window_layers is -1"}},
      {"qwen3", R"({"num_key_value_heads": 3})", {"num_key_value_heads is 3", "a divisor of num_attention_heads = 4"}},
      {"qwen3", R"({"head_dim": null, "num_attention_heads": 4})", {"self_attn.q_norm.weight", "[128]"}},
      {"phi3",
       R"({"rope_scaling": {"type": "longrope", "short_factor": [1, 2], "long_factor": [1]}})",
       {"rope_scaling.long_factor has 1 numbers", "2, one for each pair"}},
      {"phi3",
       R"({"rope_scaling": {"type": "su", "short_factor": [1, -2], "long_factor": [1, 2]}})",
       {"rope_scaling.short_factor holds -2"}},
      {"phi3", R"({"rope_scaling": {"type": "longrope"}})", {"rope_scaling.short_factor is missing"}},
      {"phi3", R"({"rope_scaling": {"type": "ntk"}})", {"rope_scaling.type \"ntk\" is not supported"}},
      {"phi3", R"({"partial_rotary_factor": 0.25})", {"heads are 1 wide", "even"}},
      {"phi3", R"({"partial_rotary_factor": 1.5})", {"partial_rotary_factor is 1.5", "at most 1"}},
      {"qwen2",
       R"({"rope_theta": 5, "rope_parameters": {"rope_theta": 6, "rope_type": "default"}})",
       {"rope_parameters.rope_theta is 6", "rope_theta = 5 or only one"}},
      {"qwen2",
       R"({"rope_scaling": {"type": "linear", "rope_type": "yarn", "factor": 2}})",
       {"rope_scaling.rope_type is \"yarn\"", "rope_scaling.type = \"linear\""}},
      {"gemma2", R"({"hidden_activation": "tanh"})", {"hidden_activation \"tanh\" is not supported"}},
      {"gemma2", R"({"use_bidirectional_attention": true})", {"use_bidirectional_attention true is not supported"}},
      {"gemma2", R"({"attn_logit_softcapping": -1})", {"attn_logit_softcapping is -1"}},
      {"gemma3_text",
       R"({"rope_parameters": {"full_attention": {"rope_theta": 1e6}}})",
       {"rope_parameters.sliding_attention is missing"}},
      {"opt", R"({"ffn_dim": null})", {"ffn_dim is missing"}},
      {"opt", R"({"num_attention_heads": 3})", {"num_attention_heads is 3", "a divisor of hidden_size = 16"}},
      {"opt", R"({"word_embed_proj_dim": 8})", {"model.decoder.embed_tokens.weight", "[30, 16]", "[30, 8]"}},
      {"opt", R"({"max_position_embeddings": 20})", {"embed_positions.weight", "[22, 16]"}},
      {"opt", R"({"enable_bias": false})", {"q_proj.bias\" is not zero"}},
      {"opt", R"({"activation_function": "tanh"})", {"activation_function \"tanh\" is not supported"}},
      {"gpt2", R"({"n_head": 5})", {"n_head is 5", "a divisor of n_embd = 16"}},
      {"gpt2", R"({"layer_norm_epsilon": null})", {"layer_norm_epsilon is missing"}},
      {"gpt2", R"({"n_inner": null})", {"mlp.c_fc.weight", "[16, 24]", "[16, 64]"}},
      {"gpt2",
       R"({"scale_attn_by_inverse_layer_idx": true})",
       {"scale_attn_by_inverse_layer_idx true is not supported"}},
      {"gpt2", R"({"add_cross_attention": true})", {"add_cross_attention true is not supported"}},
  };
  for (const Trap& trap : traps) {
    SCOPED_TRACE(trap.patch);
    const TempFolder folder;
    TinyFamily tiny(trap.family);
    tiny.config.merge_patch(nlohmann::json::parse(trap.patch));
    const io::Checkpoint checkpoint = tiny.write(folder.path());
    expect_user_error([&] { load_causal_lm(checkpoint); }, trap.parts);
  }
}

at::Tensor last_row(const TinyFamily& tiny) {
  const TempFolder folder;
  const io::Checkpoint checkpoint = tiny.write(folder.path());
  const std::unique_ptr<CausalLm> model = load_causal_lm(checkpoint);
  PackedBatch batch;
  batch.add(Ids{1, 7, 3, 12, 22, 9});
  batch.scored = {5};
  return model->forward(batch, {});
}

// The same weights under two configurations.
bool same(const char* family, const char* patch) {
  TinyFamily plain(family), patched(family);
  patched.config.merge_patch(nlohmann::json::parse(patch));
  return at::equal(last_row(plain), last_row(patched));
}

TEST(FamilyConfig, WindowsAreUsedWhereTheConfigurationSaysSo) {
  EXPECT_FALSE(same("mistral", R"({"sliding_window": 4})"));
  EXPECT_TRUE(same("mistral", R"({"layer_types": ["sliding_attention", "sliding_attention"]})"));
  EXPECT_FALSE(same("mistral", R"({"layer_types": ["sliding_attention", "full_attention"]})"));
  EXPECT_TRUE(same("qwen2", R"({"sliding_window": 2, "max_window_layers": 0})"));
  EXPECT_FALSE(same("qwen2", R"({"sliding_window": 2, "max_window_layers": 0, "use_sliding_window": true})"));
  EXPECT_TRUE(same("qwen2", R"({"sliding_window": 2, "max_window_layers": 2, "use_sliding_window": true})"));
  EXPECT_TRUE(same("gemma2", R"({"layer_types": ["sliding_attention", "full_attention"]})"));
  EXPECT_FALSE(same("gemma2", R"({"layer_types": ["full_attention", "full_attention"]})"));
  EXPECT_TRUE(same("gemma3_text", R"({"sliding_window_pattern": 6})"));
  EXPECT_FALSE(same("gemma3_text", R"({"sliding_window_pattern": 2})"));
}

TEST(FamilyConfig, BothSpellingsOfTheRotaryBasesAgree) {
  EXPECT_TRUE(same("gemma3_text", R"({"rope_theta": 1e6, "rope_local_base_freq": 1e4})"));
  EXPECT_TRUE(same("gemma3_text", R"({"rope_parameters": {"full_attention": {"rope_theta": 1e6},
                                      "sliding_attention": {"rope_theta": 1e4}}})"));
  EXPECT_FALSE(same("gemma3_text", R"({"rope_local_base_freq": 500})"));
  EXPECT_TRUE(same("qwen3", R"({"rope_parameters": {"rope_type": "default", "rope_theta": 10000}})"));
  EXPECT_FALSE(same("qwen3", R"({"rope_theta": 1e6})"));
}

TEST(FamilyConfig, SwitchesThatChangeTheModelDo) {
  EXPECT_FALSE(same("gemma2", R"({"attn_logit_softcapping": 0.5})"));
  EXPECT_FALSE(same("gemma2", R"({"query_pre_attn_scalar": 9})"));
  EXPECT_FALSE(same("opt", R"({"do_layer_norm_before": false})"));
  EXPECT_FALSE(same("opt", R"({"_remove_final_layer_norm": true})"));
  EXPECT_FALSE(same("opt", R"({"activation_function": "gelu"})"));
  EXPECT_FALSE(same("gpt2", R"({"activation_function": "gelu"})"));
  EXPECT_FALSE(same("gpt2", R"({"scale_attn_weights": false})"));
  EXPECT_FALSE(same("phi3", R"({"partial_rotary_factor": 0.5})"));
  EXPECT_FALSE(same("phi3", R"({"rope_scaling": {"type": "su", "short_factor": [1, 3], "long_factor": [1, 5]}})"));
}

TEST(LearnedPositions, LongerSequencesAreRefused) {
  const TempFolder folder;
  for (const char* family : {"gpt2", "opt"}) {
    const io::Checkpoint checkpoint = TinyFamily(family).write(folder.path() / family);
    const std::unique_ptr<CausalLm> model = load_causal_lm(checkpoint);
    EXPECT_NO_THROW(model->forward(whole(Ids(12, 3)), {}));
    expect_user_error([&] { model->forward(whole(Ids(13, 3)), {}); }, {"more than 12 tokens", "learned positions"});
  }
}

// One tensor of the file is one weight: what is trained and exported.
TEST(FusedWeights, StayWhole) {
  const TempFolder folder;
  const io::Checkpoint checkpoint = TinyFamily("phi3").write(folder.path());
  const std::unique_ptr<CausalLm> model = load_causal_lm(checkpoint);
  std::vector<std::string> names;
  for (const quant::PackedWeight* weight : model->weights()) names.push_back(weight->name);
  EXPECT_EQ(names.size(), 9u);
  EXPECT_NE(std::ranges::find(names, "model.layers.1.self_attn.qkv_proj"), names.end());
  EXPECT_NE(std::ranges::find(names, "model.layers.0.mlp.gate_up_proj"), names.end());
}

}  // namespace
}  // namespace qzo::models
