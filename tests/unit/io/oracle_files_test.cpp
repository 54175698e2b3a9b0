// Checkpoints made and broken by other programs (shared/oracles, shared/data).

#include <string>
#include <vector>

#include "qzo/io/checkpoint.h"
#include "qzo/io/scale_patch.h"

#include "unit/io/test_files.h"

namespace qzo::io {
namespace {

using testing::data;
using testing::expect_user_error;
using testing::oracles;

std::vector<std::filesystem::path> sub_folders(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory()) found.push_back(entry.path());
  }
  return found;
}

// The folder, or the GGUF file in it.
std::filesystem::path checkpoint_in(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "model.gguf") ? folder / "model.gguf" : folder;
}

TEST(OracleFiles, EveryModelAndQuantizedCheckpointOpens) {
  QZO_NEED_FOLDER(oracles() / "models");
  int opened = 0;
  for (const char* group : {"models", "quant"}) {
    for (const auto& folder : sub_folders(oracles() / group)) {
      const Checkpoint checkpoint = open_checkpoint(checkpoint_in(folder));
      EXPECT_GT(checkpoint.tensors.entries().size(), 10u) << folder;
      const bool stated = !checkpoint.quantization.is_null();
      EXPECT_EQ(stated, checkpoint.kind == CheckpointKind::kHuggingFace && std::string_view(group) == "quant")
          << folder;
      ++opened;
    }
  }
  EXPECT_GE(opened, 40);
}

TEST(OracleFiles, FaultsOfTheFileLayerAreNamed) {
  const auto folder = oracles() / "illformed";
  QZO_NEED_FOLDER(folder);
  const auto refused = [&](const char* name, std::initializer_list<std::string_view> parts) {
    SCOPED_TRACE(name);
    expect_user_error([&] { open_checkpoint(folder / name); }, parts);
    expect_user_error([&] { open_checkpoint(folder / name); }, {name});
  };
  refused("st_truncated_data", {"model.safetensors", "cut off"});
  refused("st_header_len_too_large", {"model.safetensors", "1099511627776"});
  refused("st_overlapping_offsets", {"model.safetensors", "k_proj.weight", "q_proj.weight"});
  refused("st_dtype_size_mismatch", {"model.safetensors", "k_proj.weight", "F32"});
  refused("st_header_deep_json", {"model.safetensors"});
  refused("st_empty_file", {"model.safetensors", "0 bytes"});
  refused("index_missing_shard", {"model.safetensors.index.json", "model-00002-of-00002.safetensors"});
  refused("config_not_json", {"config.json"});
  // Faults above this layer: models and quant find them.
  for (const char* name :
       {"ok_float", "ok_gptq", "missing_tensor", "gptq_g_idx_too_large", "unknown_model_type", "gptq_nan_scale",
        "zero_size_tensor", "unknown_quant_method", "config_heads_do_not_divide"}) {
    EXPECT_NO_THROW(open_checkpoint(folder / name)) << name;
  }
}

TEST(OracleFiles, VocabularyOnlyGgufFilesOpen) {
  const auto folder = data() / "tokenizers" / "llamacpp_vocab";
  QZO_NEED_FOLDER(folder);
  int opened = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf") continue;
    const Checkpoint checkpoint = open_checkpoint(entry.path());
    EXPECT_TRUE(checkpoint.tensors.entries().empty()) << entry.path();
    EXPECT_GT(checkpoint.metadata.find_strings("tokenizer.ggml.tokens")->size(), 30000u) << entry.path();
    ++opened;
  }
  EXPECT_GE(opened, 4);
}

TEST(OracleFiles, RealGgufModelsOpen) {
  const auto file = data() / "models" / "stories260K" / "stories260K.gguf";
  QZO_NEED_FOLDER(file);
  const Checkpoint checkpoint = open_checkpoint(file);
  EXPECT_EQ(checkpoint.metadata.string("general.architecture"), "llama");
  EXPECT_EQ(checkpoint.metadata.integer("llama.block_count"), 5);
  const std::vector<std::int64_t> shape = {512, 64};
  EXPECT_EQ(read_floats(checkpoint.tensors.require("token_embd.weight", {core::Dtype::kF32}, shape)).size(), 512u * 64);
}

TEST(OracleFiles, AnUntouchedExportIsByteIdentical) {
  QZO_NEED_FOLDER(oracles() / "models");
  testing::TempFolder folder;
  const Checkpoint shards = open_checkpoint(oracles() / "models" / "llama_sharded");
  export_checkpoint(shards, {}, folder.path() / "copy");
  const Checkpoint copy = open_checkpoint(folder.path() / "copy");
  EXPECT_TRUE(diff_checkpoints(shards, copy, {}).identical());
  EXPECT_EQ(checkpoint_hash(copy), checkpoint_hash(shards));
}

}  // namespace
}  // namespace qzo::io
