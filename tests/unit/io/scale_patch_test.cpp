#include "qzo/io/scale_patch.h"

#include <sys/stat.h>

#include "unit/io/gguf_builder.h"

namespace qzo::io {
namespace {

using testing::expect_user_error;
using testing::GgufBuilder;
using testing::read_bytes;
using testing::safetensors;
using testing::TempFolder;
using testing::write_file;

constexpr std::size_t kBlocks = 600000;  // of 18 bytes: more than one piece of 8 MB

std::string numbered_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 24);
  return bytes;
}

class ExportGguf : public ::testing::Test {
 protected:
  void SetUp() override {
    GgufBuilder builder;
    builder.tensor("q", {32, kBlocks}, 2, 0);
    builder.data = numbered_bytes(kBlocks * 18);
    write_file(base_, builder.bytes());
  }
  // Every scale of the tensor, each byte one more than it was.
  FieldWrite all_scales(const Checkpoint& checkpoint) {
    const TensorEntry& entry = *checkpoint.tensors.find("q");
    FieldWrite write{
        .field = {.tensor = "q", .file = 0, .offset = entry.offset, .stride = 18, .count = kBlocks, .width = 2},
        .values = {}};
    for (std::size_t block = 0; block < kBlocks; ++block) {
      for (const std::size_t byte : {0u, 1u}) {
        write.values.push_back(static_cast<std::byte>(static_cast<int>(entry.bytes[block * 18 + byte]) + 1));
      }
    }
    return write;
  }
  TempFolder folder_;
  std::filesystem::path base_ = folder_.path() / "base.gguf";
  std::filesystem::path tuned_ = folder_.path() / "new" / "tuned.gguf";
};

TEST_F(ExportGguf, WithoutWritesIsByteIdentical) {
  ::chmod(base_.c_str(), 0640);
  const Checkpoint base = open_checkpoint(base_);
  export_checkpoint(base, {}, tuned_);
  EXPECT_EQ(read_bytes(tuned_), read_bytes(base_));
  struct stat status {};
  ASSERT_EQ(::stat(tuned_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
  EXPECT_TRUE(diff_checkpoints(base, open_checkpoint(tuned_), {}).identical());
}

TEST_F(ExportGguf, ChangesEveryScaleAndNothingElse) {
  const Checkpoint base = open_checkpoint(base_);
  const FieldWrite write = all_scales(base);
  export_checkpoint(base, std::span(&write, 1), tuned_);
  const std::string before = read_bytes(base_);
  const std::string after = read_bytes(tuned_);
  ASSERT_EQ(before.size(), after.size());
  std::string expected = before;
  for (std::size_t block = 0; block < kBlocks; ++block) {
    for (const std::size_t byte : {0u, 1u}) ++expected[write.field.offset + block * 18 + byte];
  }
  EXPECT_TRUE(expected == after);

  const Checkpoint tuned = open_checkpoint(tuned_);
  const DiffReport report = diff_checkpoints(base, tuned, std::span(&write.field, 1));
  ASSERT_EQ(report.tensors.size(), 1u);
  EXPECT_EQ(report.tensors[0].tensor, "q");
  EXPECT_EQ(report.tensors[0].bytes, std::int64_t{2 * kBlocks});
  EXPECT_EQ(report.tensors[0].scale_bytes, std::int64_t{2 * kBlocks});
  ASSERT_EQ(report.tensors[0].ranges.size(), 16u);
  EXPECT_EQ(report.tensors[0].ranges[1].begin, write.field.offset + 18);
  EXPECT_EQ(report.tensors[0].ranges[1].end, write.field.offset + 20);
  EXPECT_TRUE(report.scales_only());
  EXPECT_FALSE(report.identical());
  EXPECT_FALSE(diff_checkpoints(base, tuned, {}).scales_only());
}

TEST_F(ExportGguf, ReplacesAnEarlierFileAndLeavesNoOther) {
  write_file(tuned_, "earlier");
  write_file(tuned_.parent_path() / ".tuned.gguf.partial", "left by a killed export");
  const Checkpoint base = open_checkpoint(base_);
  export_checkpoint(base, {}, tuned_);
  EXPECT_EQ(read_bytes(tuned_), read_bytes(base_));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(tuned_.parent_path()), {}), 1);
}

TEST_F(ExportGguf, RefusesTheSourceAndFolders) {
  const Checkpoint base = open_checkpoint(base_);
  const std::string before = read_bytes(base_);
  expect_user_error([&] { export_checkpoint(base, {}, base_); }, {"base.gguf", "the model that is copied"});
  std::filesystem::create_symlink(base_, folder_.path() / "link.gguf");
  expect_user_error([&] { export_checkpoint(base, {}, folder_.path() / "link.gguf"); }, {"the model that is copied"});
  expect_user_error([&] { export_checkpoint(base, {}, folder_.path()); }, {"is a folder"});
  EXPECT_EQ(read_bytes(base_), before);
}

TEST_F(ExportGguf, ChecksTheCaller) {
  const Checkpoint base = open_checkpoint(base_);
  FieldWrite write = all_scales(base);
  const auto refuses = [&](const FieldWrite& wrong) {
    EXPECT_THROW(export_checkpoint(base, std::span(&wrong, 1), tuned_), core::InternalError);
    EXPECT_FALSE(std::filesystem::exists(tuned_));
  };
  FieldWrite wrong = write;
  wrong.values.pop_back();
  refuses(wrong);
  wrong = write;
  wrong.field.offset += 17;
  refuses(wrong);
  wrong = write;
  wrong.field.stride = ~0ull / 2;
  refuses(wrong);
  wrong = write;
  wrong.field.stride = 1;
  refuses(wrong);
  wrong = write;
  wrong.field.file = 1;
  refuses(wrong);
}

TEST(Export, ValuesThatStraddleTwoPiecesAreWhole) {
  TempFolder folder;
  const std::size_t count = 5'000'000;  // F16 at an odd offset: one of them lies across the border of the 8 MB pieces
  std::string header = R"({"s":{"dtype":"F16","shape":[5000000],"data_offsets":[0,10000000]}})";
  if (header.size() % 2 == 0) header += ' ';
  write_file(folder.path() / "base" / "config.json", "{}");
  write_file(folder.path() / "base" / "model.safetensors", safetensors(header, std::string(2 * count, '\0')));
  const Checkpoint base = open_checkpoint(folder.path() / "base");
  const std::string numbers = numbered_bytes(2 * count);
  FieldWrite write{
      .field = {.tensor = "s", .file = 0, .offset = 8 + header.size(), .stride = 2, .count = 5'000'000, .width = 2},
      .values = {}};
  const auto bytes = testing::as_bytes(numbers);
  write.values.assign(bytes.begin(), bytes.end());
  export_checkpoint(base, std::span(&write, 1), folder.path() / "tuned");
  EXPECT_TRUE(read_bytes(folder.path() / "tuned" / "model.safetensors") == safetensors(header, numbers));
}

class ExportFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(base_ / "config.json", "{}");
    write_file(base_ / "extra" / "chat.jinja", "hello");
    write_file(folder_.path() / "blob", safetensors(kHeader, numbered_bytes(40)));
    std::filesystem::create_symlink("../blob", base_ / "model.safetensors");
  }
  FieldWrite scales(const Checkpoint& checkpoint) {
    const TensorEntry& entry = *checkpoint.tensors.find("w.scales");
    return {.field = {.tensor = entry.name, .file = 0, .offset = entry.offset, .stride = 2, .count = 4, .width = 2},
            .values = std::vector<std::byte>(8, std::byte{0x11})};
  }
  static constexpr const char* kHeader = R"({"w.qweight":{"dtype":"I32","shape":[8],"data_offsets":[0,32]},
                                             "w.scales":{"dtype":"F16","shape":[1,4],"data_offsets":[32,40]}})";
  TempFolder folder_;
  std::filesystem::path base_ = folder_.path() / "base";
  std::filesystem::path tuned_ = folder_.path() / "run" / "model";
};

TEST_F(ExportFolder, CopiesEveryFileAndPatchesScales) {
  ::chmod((base_ / "config.json").c_str(), 0600);
  const Checkpoint base = open_checkpoint(base_);
  const FieldWrite write = scales(base);
  export_checkpoint(base, std::span(&write, 1), tuned_);
  const Checkpoint tuned = open_checkpoint(tuned_);
  EXPECT_EQ(tuned.files, base.files);
  EXPECT_EQ(read_bytes(tuned_ / "extra" / "chat.jinja"), "hello");
  EXPECT_FALSE(std::filesystem::is_symlink(tuned_ / "model.safetensors"));
  EXPECT_EQ(std::filesystem::status(tuned_ / "config.json").permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(read_bytes(tuned_ / "model.safetensors"),
            safetensors(kHeader, numbered_bytes(40).substr(0, 32) + std::string(8, '\x11')));
  EXPECT_EQ(read_bytes(folder_.path() / "blob"), safetensors(kHeader, numbered_bytes(40)));

  const DiffReport report = diff_checkpoints(base, tuned, std::span(&write.field, 1));
  ASSERT_EQ(report.tensors.size(), 1u);
  EXPECT_EQ(report.tensors[0].file, "model.safetensors");
  EXPECT_EQ(report.tensors[0].tensor, "w.scales");
  EXPECT_TRUE(report.scales_only());
}

TEST_F(ExportFolder, ReplacesAnEarlierModelWhole) {
  const Checkpoint base = open_checkpoint(base_);
  write_file(tuned_ / "config.json", "old");
  write_file(tuned_ / "old_shard.safetensors", "old");
  write_file(tuned_.parent_path() / ".model.partial" / "junk", "left by a killed export");
  export_checkpoint(base, {}, tuned_);
  EXPECT_TRUE(diff_checkpoints(base, open_checkpoint(tuned_), {}).identical());
  EXPECT_FALSE(std::filesystem::exists(tuned_ / "old_shard.safetensors"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(tuned_.parent_path()), {}), 1);
}

TEST_F(ExportFolder, RefusesDangerousDestinations) {
  const Checkpoint base = open_checkpoint(base_);
  for (const auto& destination :
       {base_, base_ / "extra", base_ / "new" / "model", folder_.path(), base_ / ".." / "base" / ""}) {
    expect_user_error([&] { export_checkpoint(base, {}, destination); }, {"overlaps", base_.string()});
  }
  std::filesystem::create_directory_symlink(base_, folder_.path() / "link");
  expect_user_error([&] { export_checkpoint(base, {}, folder_.path() / "link" / "model"); }, {"overlaps"});
  write_file(folder_.path() / "home" / "letters.txt", "precious");
  expect_user_error([&] { export_checkpoint(base, {}, folder_.path() / "home"); }, {"home", "other files"});
  EXPECT_EQ(read_bytes(folder_.path() / "home" / "letters.txt"), "precious");
  expect_user_error([&] { export_checkpoint(base, {}, folder_.path() / "blob"); }, {"blob", "is a file"});
  std::filesystem::create_directory(folder_.path() / "empty");
  export_checkpoint(base, {}, folder_.path() / "empty");
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "empty" / "config.json"));
}

TEST_F(ExportFolder, FailureLeavesTheEarlierModelAlone) {
  const Checkpoint base = open_checkpoint(base_);
  export_checkpoint(base, {}, tuned_);
  std::filesystem::remove(base_ / "extra" / "chat.jinja");
  EXPECT_THROW(export_checkpoint(base, {}, tuned_), core::Error);
  EXPECT_EQ(read_bytes(tuned_ / "extra" / "chat.jinja"), "hello");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(tuned_.parent_path()), {}), 1);
}

TEST_F(ExportFolder, DiffFindsEverythingElse) {
  const Checkpoint base = open_checkpoint(base_);
  const FieldWrite write = scales(base);
  export_checkpoint(base, {}, tuned_);
  std::string weights = read_bytes(tuned_ / "model.safetensors");
  const std::size_t data = weights.size() - 40;
  weights[weights.find("  ")] = '\t';  // the header, still valid
  for (const std::size_t changed : {data, data + 1, data + 5, weights.size() - 1}) weights[changed] ^= 1;
  write_file(tuned_ / "model.safetensors", weights);
  write_file(tuned_ / "added.txt", "x");
  write_file(tuned_ / "extra" / "chat.jinja", "hellO");
  write_file(tuned_ / "config.json", "{ }");
  const Checkpoint changed = open_checkpoint(tuned_);

  const DiffReport report = diff_checkpoints(base, changed, std::span(&write.field, 1));
  EXPECT_FALSE(report.scales_only());
  ASSERT_EQ(report.other.size(), 2u);
  EXPECT_EQ(report.other[0], "config.json: 2 bytes and 3 bytes");
  EXPECT_NE(report.other[1].find("added.txt: only in " + tuned_.string()), std::string::npos);
  ASSERT_EQ(report.tensors.size(), 4u);
  EXPECT_EQ(report.tensors[0].file, "extra/chat.jinja");
  EXPECT_EQ(report.tensors[0].bytes, 1);
  EXPECT_EQ(report.tensors[1].tensor, "");
  EXPECT_EQ(report.tensors[1].bytes, 1);
  EXPECT_EQ(report.tensors[2].tensor, "w.qweight");
  EXPECT_EQ(report.tensors[2].bytes, 3);
  EXPECT_EQ(report.tensors[2].scale_bytes, 0);
  ASSERT_EQ(report.tensors[2].ranges.size(), 2u);
  EXPECT_EQ(report.tensors[2].ranges[0].begin, data);
  EXPECT_EQ(report.tensors[2].ranges[0].end, data + 2);
  EXPECT_EQ(report.tensors[3].tensor, "w.scales");
  EXPECT_EQ(report.tensors[3].scale_bytes, 1);

  const DiffReport reverse = diff_checkpoints(changed, base, {});
  ASSERT_EQ(reverse.other.size(), 2u);
  EXPECT_NE(reverse.other[0].find("added.txt: only in "), std::string::npos);
}

}  // namespace
}  // namespace qzo::io
