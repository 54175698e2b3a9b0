#include "unit/models/tiny_llama.h"

namespace qzo::models {
namespace {

using testing::expect_user_error;
using testing::TempFolder;
using testing::TinyLlama;

struct Refusal {
  const char* patch;  // merged into config.json (RFC 7396: null removes)
  std::initializer_list<std::string_view> parts;
};

TEST(LlamaConfig, WhatIsWrongOrNotBuiltIsNamed) {
  const Refusal refusals[] = {
      {R"({"model_type": "zorblax"})", {"config.json: model family \"zorblax\" is not supported; supported: llama"}},
      {R"({"model_type": null})", {"model_type is missing"}},
      {R"({"hidden_size": null})", {"config.json: hidden_size is missing", "a positive integer"}},
      {R"({"num_hidden_layers": 0})", {"num_hidden_layers is 0"}},
      {R"({"vocab_size": -5})", {"vocab_size is -5"}},
      {R"({"vocab_size": 18446744073709551615})", {"vocab_size is \"18446744073709551615\"", "from 1 to 16777216"}},
      {R"({"intermediate_size": 48.5})", {"intermediate_size is \"48.5\""}},
      {R"({"num_attention_heads": 3, "num_key_value_heads": 1})",
       {"num_attention_heads is 3", "a divisor of hidden_size = 32"}},
      {R"({"num_key_value_heads": 3})", {"num_key_value_heads is 3", "a divisor of num_attention_heads = 4"}},
      {R"({"head_dim": 7})", {"heads are 7 wide", "even"}},
      {R"({"rms_norm_eps": null})", {"rms_norm_eps is missing"}},
      {R"({"rms_norm_eps": -1e-5})", {"rms_norm_eps is -1e-05"}},
      {R"({"hidden_act": "quick_gelu"})", {"hidden_act \"quick_gelu\" is not supported; supported: silu"}},
      {R"({"attention_bias": 1})", {"attention_bias is \"1\"", "true or false"}},
      {R"({"partial_rotary_factor": 0.5})", {"partial_rotary_factor 0.5 is not supported"}},
      {R"({"rope_theta": "big"})", {"rope_theta"}},
      {R"({"rope_scaling": {"type": "ntk", "factor": 2}})",
       {"rope_scaling.type \"ntk\" is not supported; supported: default, linear, dynamic, llama3, yarn, longrope"}},
      {R"({"rope_parameters": {"rope_type": "mrope"}})", {"rope_parameters.rope_type \"mrope\" is not supported"}},
      {R"({"rope_scaling": {"type": "linear"}})", {"rope_scaling.factor is missing"}},
      {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1,
           "original_max_position_embeddings": 64}})",
       {"rope_scaling.high_freq_factor is 1", "above low_freq_factor = 4"}},
      {R"({"rope_scaling": "linear"})", {"rope_scaling is", "an object"}},
  };
  for (const Refusal& refusal : refusals) {
    const TempFolder folder;
    TinyLlama tiny;
    tiny.config.merge_patch(nlohmann::json::parse(refusal.patch));
    const io::Checkpoint checkpoint = tiny.write(folder.path());
    expect_user_error([&] { load_causal_lm(checkpoint); }, refusal.parts);
    expect_user_error([&] { read_summary(checkpoint); }, refusal.parts);
  }
}

TEST(LlamaConfig, SummaryNeedsNoWeights) {
  const TempFolder folder;
  TinyLlama tiny;
  tiny.config["max_position_embeddings"] = 512;
  const io::Checkpoint checkpoint = tiny.write(folder.path());
  const ModelSummary summary = read_summary(checkpoint);
  EXPECT_EQ(summary.family, "llama");
  EXPECT_EQ(summary.layers, 2);
  EXPECT_EQ(summary.hidden, 32);
  EXPECT_EQ(summary.intermediate, 48);
  EXPECT_EQ(summary.heads, 4);
  EXPECT_EQ(summary.kv_heads, 2);
  EXPECT_EQ(summary.head_dim, 8);
  EXPECT_EQ(summary.vocabulary, 40);
  EXPECT_EQ(summary.max_positions, 512);
  EXPECT_TRUE(summary.tied_head);
}

TEST(LlamaConfig, GgufWithoutItsKeysIsRefusedByKey) {
  const TempFolder folder;
  io::testing::GgufBuilder builder;
  builder.pair("general.architecture", 8, io::testing::gguf_string("llama"));
  builder.tensor("token_embd.weight", {32, 4}, 0, 0);
  builder.data = std::string(4 * 32 * 4, '\0');
  io::testing::write_file(folder.path() / "a.gguf", builder.bytes());
  const io::Checkpoint without_keys = io::open_checkpoint(folder.path() / "a.gguf");
  expect_user_error([&] { load_causal_lm(without_keys); }, {"a.gguf: llama.block_count is missing"});
}

}  // namespace
}  // namespace qzo::models
