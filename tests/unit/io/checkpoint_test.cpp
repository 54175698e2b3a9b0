#include "qzo/io/checkpoint.h"

#include "qzo/core/log.h"

#include "unit/io/gguf_builder.h"

namespace qzo::io {
namespace {

using testing::expect_user_error;
using testing::GgufBuilder;
using testing::little_endian;
using testing::safetensors;
using testing::TempFolder;
using testing::write_file;

std::string one_tensor(const std::string& name, const std::string& data = "x") {
  return safetensors("{\"" + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", data);
}

class CheckpointFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    write("config.json", R"({"model_type":"llama"})");
    write("model.safetensors", one_tensor("a"));
  }
  std::filesystem::path write(const std::string& name, std::string_view bytes) {
    return write_file(folder_.path() / name, bytes);
  }
  void remove(const std::string& name) { std::filesystem::remove(folder_.path() / name); }
  Checkpoint open() { return open_checkpoint(folder_.path()); }
  void expect_refused(std::initializer_list<std::string_view> parts) {
    expect_user_error([&] { open(); }, parts);
  }
  void write_shards(const std::string& weight_map) {
    remove("model.safetensors");
    write("1.safetensors", one_tensor("a"));
    write("2.safetensors", one_tensor("b"));
    write("model.safetensors.index.json", R"({"metadata":{},"weight_map":)" + weight_map + "}");
  }
  TempFolder folder_;
};

TEST_F(CheckpointFolder, OpensOneFileAndListsAll) {
  write("tokenizer.json", "{}");
  write("extra/chat.jinja", "x");
  write(".git/objects/1", "x");
  write(".gitattributes", "x");
  const Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.kind, CheckpointKind::kHuggingFace);
  EXPECT_EQ(checkpoint.config.at("model_type"), "llama");
  EXPECT_TRUE(checkpoint.quantization.is_null());
  EXPECT_NE(checkpoint.tensors.find("a"), nullptr);
  EXPECT_EQ(checkpoint.files, (std::vector<std::filesystem::path>{".gitattributes", "config.json", "extra/chat.jinja",
                                                                  "model.safetensors", "tokenizer.json"}));
  EXPECT_EQ(open_checkpoint(folder_.path() / "").files, checkpoint.files) << "trailing slash";
}

TEST_F(CheckpointFolder, OpensTheOnlySafetensorsFileOfAnyName) {
  remove("model.safetensors");
  write("gptq_model-4bit-128g.safetensors", one_tensor("q"));
  EXPECT_NE(open().tensors.find("q"), nullptr);
  write("other.safetensors", one_tensor("r"));
  expect_refused({"2 safetensors files", "model.safetensors.index.json"});
}

TEST_F(CheckpointFolder, OpensShards) {
  write_shards(R"({"a":"1.safetensors","b":"2.safetensors"})");
  const Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.tensors.entries().size(), 2u);
  EXPECT_EQ(checkpoint.tensors.files().size(), 2u);
  EXPECT_EQ(checkpoint.tensors.find("b")->file, 1u);
  EXPECT_EQ(checkpoint.tensors.where(), folder_.path().string());
}

TEST_F(CheckpointFolder, AbsentShardIsFoundBeforeAnythingIsLoaded) {
  write_shards(R"({"a":"1.safetensors","b":"3.safetensors"})");
  write("1.safetensors", "broken");
  expect_refused({"model.safetensors.index.json", "3.safetensors", "does not exist", "1 of 2"});
}

TEST_F(CheckpointFolder, IndexAndFilesMustAgree) {
  write_shards(R"({"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors"})");
  expect_refused({"model.safetensors.index.json", "\"c\"", "2.safetensors"});
  write_shards(R"({"a":"2.safetensors","b":"2.safetensors"})");
  expect_refused({"model.safetensors.index.json", "\"a\"", "2.safetensors"});
  for (const char* map : {"{}", "[]", "3"}) {
    write_shards(map);
    expect_refused({"model.safetensors.index.json", "weight_map"});
  }
  for (const char* name : {R"("../2.safetensors")", R"("/2.safetensors")", R"("..")", R"("")", "1"}) {
    write_shards(std::string(R"({"a":)") + name + "}");
    expect_refused({"model.safetensors.index.json", "\"a\"", "same folder"});
  }
  write_shards(R"({"a":"1.safetensors","b":"2.safetensors"})");
  write("model.safetensors", one_tensor("a"));
  expect_refused({"model.safetensors", "index", "stale"});
}

TEST_F(CheckpointFolder, TiedHeadMayBeListedWithoutBeingStored) {
  write_shards(R"({"a":"1.safetensors","b":"2.safetensors","lm_head.weight":"2.safetensors"})");
  std::vector<std::string> messages;
  core::LogCapture capture([&](core::LogLevel, const std::string& message) { messages.push_back(message); });
  EXPECT_EQ(open().tensors.entries().size(), 2u);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_NE(messages[0].find("lm_head.weight"), std::string::npos);
}

TEST_F(CheckpointFolder, RefusesWhatIsNoModel) {
  expect_user_error([&] { open_checkpoint(folder_.path() / "absent"); }, {"absent", "does not exist"});
  expect_user_error([&] { open_checkpoint(folder_.path() / "model.safetensors"); }, {"model.safetensors", "folder"});
  const auto nameless = write("weights", one_tensor("a"));
  expect_user_error([&] { open_checkpoint(nameless); }, {"weights", "safetensors", "folder"});
  expect_user_error([&] { open_checkpoint(write("pytorch_model.bin", "PK\x03\x04")); },
                    {"pytorch_model.bin", "pickle"});
  expect_user_error([&] { open_checkpoint(write("notes.txt", "hello")); }, {"notes.txt", "hello", "GGUF"});
  expect_user_error([&] { open_checkpoint(write("empty.gguf", "")); }, {"empty.gguf"});

  write("model_index.json", "{}");
  expect_refused({"diffusion pipeline"});
  remove("model_index.json");

  remove("model.safetensors");
  expect_refused({folder_.path().string(), "pytorch_model.bin", "pickle", "safetensors"});
  remove("pytorch_model.bin");
  expect_refused({"no weights", "model.safetensors"});

  remove("config.json");
  expect_refused({"empty.gguf", "give that file itself"});
  remove("empty.gguf");
  expect_refused({"no config.json"});
  write("adapter_config.json", "{}");
  expect_refused({"adapter"});
}

TEST_F(CheckpointFolder, RefusesBrokenConfigAndDanglingLinks) {
  write("config.json", "{\"a\":");
  expect_refused({"config.json"});
  write("config.json", "[]");
  expect_refused({"config.json", "array", "object"});
  write("config.json", "{}");
  std::filesystem::create_symlink("gone", folder_.path() / "tokenizer.json");
  expect_refused({"tokenizer.json", "gone"});
  remove("tokenizer.json");
  std::filesystem::create_directory_symlink(".", folder_.path() / "loop");
  expect_refused({"loop", "nested"});
}

TEST_F(CheckpointFolder, QuantizationSettingsAreSearchedInOrder) {
  write("config.json", R"({"quantization_config":{"quant_method":"gptq","bits":4,"sym":true}})");
  Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.quantization.at("bits"), 4);
  EXPECT_NE(checkpoint.quantization_file.find("config.json"), std::string::npos);

  write("quant_config.json", R"({"w_bit":4,"q_group_size":64,"version":"second"})");
  write("quantize_config.json", R"({"bits":4,"group_size":64,"sym":false,"version":"first"})");
  checkpoint = open();
  EXPECT_EQ(checkpoint.quantization_file, (folder_.path() / "quantize_config.json").string());
  EXPECT_EQ(checkpoint.quantization.at("version"), "first");
  EXPECT_EQ(checkpoint.quantization.at("sym"), false) << "the earlier file wins";
  EXPECT_EQ(checkpoint.quantization.at("quant_method"), "gptq") << "later files fill gaps";

  write("config.json", R"({"quantization_config":null})");
  EXPECT_FALSE(open().quantization.contains("quant_method"));
}

TEST_F(CheckpointFolder, DisagreeingQuantizationSettingsAreRefused) {
  write("quantize_config.json", R"({"bits":4,"group_size":128})");
  write("config.json", R"({"quantization_config":{"quant_method":"gptq","bits":8}})");
  expect_refused({"quantize_config.json", "config.json", "bits = 4", "bits = 8"});
  write("config.json", R"({"quantization_config":{"quant_method":"gptq","group_size":32}})");
  expect_refused({"quantize_config.json", "config.json", "128", "32", "group size"});
  write("config.json", "{}");
  write("quantize_config.json", R"({"quant_method":"gptq"})");
  write("quant_config.json", R"({"quant_method":"awq"})");
  expect_refused({"quantize_config.json", "quant_config.json", "gptq", "awq", "method"});
  write("quant_config.json", R"({"wbits":3,"bits":4})");
  expect_refused({"quant_config.json", "bits = 4", "wbits = 3"});
  write("quant_config.json", "[]");
  expect_refused({"quant_config.json", "array", "object"});
}

TEST_F(CheckpointFolder, HashDependsOnNamesAndBytesOfTensorFilesOnly) {
  const std::uint64_t hash = checkpoint_hash(open());
  TempFolder other;
  const auto copy = other.path() / "deeper" / "copy";
  write_file(copy / "config.json", R"({"model_type":"llama","note":1})");
  write_file(copy / "model.safetensors", one_tensor("a"));
  EXPECT_EQ(checkpoint_hash(open_checkpoint(copy)), hash);
  write_file(copy / "model.safetensors", one_tensor("a", "y"));
  EXPECT_NE(checkpoint_hash(open_checkpoint(copy)), hash);
  std::filesystem::remove(copy / "model.safetensors");
  write_file(copy / "renamed.safetensors", one_tensor("a"));
  EXPECT_NE(checkpoint_hash(open_checkpoint(copy)), hash);
}

TEST(CheckpointGguf, OpensByContentAndRefusesParts) {
  TempFolder folder;
  GgufBuilder builder;
  builder.pair("general.architecture", 8, testing::gguf_string("llama")).tensor("t", {2}, 0, 0);
  builder.data = "12345678";
  const Checkpoint checkpoint = open_checkpoint(write_file(folder.path() / "model.anything", builder.bytes()));
  EXPECT_EQ(checkpoint.kind, CheckpointKind::kGguf);
  EXPECT_EQ(checkpoint.metadata.string("general.architecture"), "llama");
  EXPECT_EQ(checkpoint.tensors.entries().size(), 1u);
  EXPECT_EQ(checkpoint.files, (std::vector<std::filesystem::path>{"model.anything"}));
  builder.pair("split.count", 2, little_endian<std::uint16_t>(3));
  const auto part = write_file(folder.path() / "part.gguf", builder.bytes());
  expect_user_error([&] { open_checkpoint(part); }, {"part.gguf", "3 parts"});
}

}  // namespace
}  // namespace qzo::io
