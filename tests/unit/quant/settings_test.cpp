#include "qzo/core/log.h"

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using testing::expect_user_error;
using testing::GptqLayer;
using testing::TempFolder;

io::Checkpoint with_settings(const TempFolder& folder, const std::string& settings) {
  GptqLayer layer;
  layer.settings = settings;
  return layer.write(folder.path());
}

struct Refusal {
  const char* settings;
  std::initializer_list<std::string_view> parts;
};

TEST(QuantizationSettings, WhatIsNotBuiltIsRefusedByName) {
  const Refusal refusals[] = {
      {R"("quant_method": "frobnicate", "bits": 4)",
       {"config.json", "quant_method \"frobnicate\" is not supported", "gptq"}},
      {R"("quant_method": "awq", "bits": 3, "group_size": 16)", {"bits 3 (AWQ) is not supported"}},
      {R"("quant_method": "awq", "bits": 4, "group_size": 16, "version": "gemv")",
       {"version \"gemv\" is not supported"}},
      {R"("quant_method": "awq", "bits": 4, "group_size": 16, "version": "GEMV_fast")", {"\"gemv_fast\"", "gemm"}},
      {R"("quant_method": "awq", "bits": 4, "group_size": 16, "version": "exllama")", {"\"exllama\""}},
      {R"("quant_method": "awq", "bits": 4, "group_size": 16, "zero_point": false)", {"zero_point false"}},
      {R"("quant_method": "awq", "bits": 4)", {"group_size is missing"}},
      {R"("quant_method": "compressed-tensors", "format": "marlin-24")", {"format \"marlin-24\"", "pack-quantized"}},
      {R"("quant_method": "compressed-tensors", "format": "pack-quantized")", {"config_groups is missing"}},
      {R"("quant_method": "compressed-tensors", "config_groups": {"a": 3})", {"config_groups.a is 3"}},
      {R"("quant_method": "compressed-tensors", "config_groups": {"a": {"weights": {"num_bits": 3}}})",
       {"num_bits 3 is not supported"}},
      {R"("quant_method": "compressed-tensors", "config_groups": {"a": {"weights": {"num_bits": 4, "type": "float"}}})",
       {"type \"float\""}},
      {R"("quant_method": "compressed-tensors",
          "config_groups": {"a": {"weights": {"num_bits": 8, "strategy": "block"}}})",
       {"strategy \"block\"", "group, channel"}},
      {R"("quant_method": "compressed-tensors",
          "config_groups": {"a": {"weights": {"num_bits": 8}, "input_activations": {"num_bits": 8}}})",
       {"input_activations", "quantized activations"}},
      {R"("quant_method": "compressed-tensors", "config_groups": {}, "kv_cache_scheme": {"num_bits": 8})",
       {"kv_cache_scheme"}},
      {R"("quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 2}})", {"nbits 2 (HQQ)"}},
      {R"("quant_method": "hqq", "quant_config": {"zero_quant_params": {"nbits": 8}})", {"zero_quant_params"}},
      {R"("quant_method": "hqq", "quant_config": 4)", {"quant_config is 4", "an object"}},
      {R"("quant_method": "gptq", "bits": 5, "group_size": 16)", {"5-bit GPTQ is not supported yet"}},
      {R"("quant_method": "gptq", "bits": 8, "group_size": 16, "checkpoint_format": "gptq_p")", {"\"gptq_p\""}},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 16, "checkpoint_format": "marlin")",
       {"checkpoint_format \"marlin\" is not supported"}},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 16, "is_marlin_format": true)", {"is_marlin_format true"}},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 16, "pack_dtype": "int16")", {"pack_dtype \"int16\""}},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 16, "dynamic": {".*down.*": {"bits": 8}})",
       {"dynamic rule \".*down.*\""}},
      {R"("quant_method": "gptq", "group_size": 16)", {"bits is missing"}},
      {R"("quant_method": "gptq", "bits": "four", "group_size": 16)", {"bits is \"four\"", "an integer"}},
      {R"("quant_method": "gptq", "bits": 4)", {"group_size is missing"}},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 0)", {"group_size is 0"}},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 99999999999)", {"group_size is 99999999999"}},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 16, "sym": 1)", {"sym is 1", "true or false"}},
      {R"("quant_method": 4)", {"quant_method is 4", "a string"}},
  };
  for (const Refusal& refusal : refusals) {
    const TempFolder folder;
    const io::Checkpoint checkpoint = with_settings(folder, refusal.settings);
    expect_user_error([&] { check_quantization_settings(checkpoint); }, refusal.parts);
  }
}

TEST(QuantizationSettings, OldSpellingsAndExcludedLayersAreRead) {
  const TempFolder folder;
  GptqLayer layer;
  layer.v1 = false;
  layer.settings =
      R"("w_bit": 4, "q_group_size": 16, "sym": null, "format": "gptq_v2", "dynamic": {"-:.*lm_head": {}})";
  const io::Checkpoint checkpoint = layer.write(folder.path());
  std::string said;
  const core::LogCapture capture([&](core::LogLevel level, const std::string& message) {
    if (level == core::LogLevel::kInfo) said = message;
  });
  check_quantization_settings(checkpoint);
  EXPECT_EQ(testing::dequantized(load_weight(checkpoint, layer.request(), {})), layer.expected());
  EXPECT_NE(said.find("names no quant_method: taken as gptq"), std::string::npos) << said;
}

TEST(QuantizationSettings, NoneIsFine) {
  const TempFolder folder;
  testing::write_folder(folder.path(), "{}", {{"a", {core::Dtype::kF32, {1}, std::string(4, '\0')}}});
  EXPECT_NO_THROW(check_quantization_settings(io::open_checkpoint(folder.path())));
}

TEST(QuantizationSettings, NoMethodAndNoGptqTensorsIsRefused) {
  const TempFolder folder;
  testing::write_folder(folder.path(), R"({"quantization_config": {"bits": 4}})",
                        {{"a", {core::Dtype::kF32, {1}, std::string(4, '\0')}}});
  const io::Checkpoint checkpoint = io::open_checkpoint(folder.path());
  expect_user_error([&] { check_quantization_settings(checkpoint); }, {"quant_method is missing"});
}

}  // namespace
}  // namespace qzo::quant
