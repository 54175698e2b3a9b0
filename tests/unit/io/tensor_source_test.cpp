#include "qzo/io/tensor_source.h"

#include <cmath>

#include "qzo/core/half.h"
#include "qzo/io/safetensors.h"

#include "unit/io/test_files.h"

namespace qzo::io {
namespace {

using testing::as_bytes;
using testing::expect_user_error;
using testing::safetensors;
using testing::TempFolder;
using testing::write_file;

constexpr const char* kTwoTensors =
    R"({"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"I32","shape":[1],"data_offsets":[12,16]}})";

TEST(TensorSource, FindsWhatWasAddedAndKeepsViewsValidWhenMoved) {
  TempFolder folder;
  TensorSource filled;
  read_safetensors(write_file(folder.path() / "x.safetensors", safetensors(kTwoTensors, "abcdefghijklmnop")), filled);
  const TensorSource source = std::move(filled);
  ASSERT_NE(source.find("b"), nullptr);
  EXPECT_EQ(source.find("b")->bytes.size(), 4u);
  EXPECT_EQ(source.find("b")->bytes[0], std::byte{'m'});
  EXPECT_EQ(source.find("c"), nullptr);
  EXPECT_EQ(source.where(), (folder.path() / "x.safetensors").string());
  EXPECT_EQ(source.describe(*source.find("a")), (folder.path() / "x.safetensors").string() + ": tensor \"a\"");
}

TEST(TensorSource, RequireNamesFileTensorFoundAndExpected) {
  TempFolder folder;
  TensorSource source;
  read_safetensors(write_file(folder.path() / "x.safetensors", safetensors(kTwoTensors, "abcdefghijklmnop")), source);
  const std::vector<std::int64_t> shape = {2, 3};
  EXPECT_EQ(source.require("a", {core::Dtype::kF32, core::Dtype::kF16}, shape).name, "a");
  expect_user_error(
      [&] {
        return source.require("a", {core::Dtype::kF32, core::Dtype::kBF16}, shape);
      },
      {"x.safetensors", "\"a\"", "F16", "F32 or BF16"});
  const std::vector<std::int64_t> transposed = {3, 2};
  expect_user_error([&] { return source.require("a", {core::Dtype::kF16}, transposed); },
                    {"x.safetensors", "\"a\"", "[2, 3]", "[3, 2]"});
  expect_user_error([&] { return source.require("head", {core::Dtype::kF16}, shape); },
                    {"x.safetensors", "\"head\"", "missing", "F16", "[2, 3]"});
}

TEST(TensorSource, RefusesATensorStoredInTwoFiles) {
  TempFolder folder;
  TensorSource source;
  read_safetensors(write_file(folder.path() / "1.safetensors", safetensors(kTwoTensors, "abcdefghijklmnop")), source);
  const auto second = write_file(folder.path() / "2.safetensors", safetensors(kTwoTensors, "abcdefghijklmnop"));
  expect_user_error([&] { read_safetensors(second, source); }, {"1.safetensors", "2.safetensors", "\"a\""});
}

TEST(ReadFloats, ConvertsEveryFloatTypeAtAnyAlignment) {
  const float f32[] = {1.5f, -0.0f, 3.0e38f};
  const std::uint16_t f16[] = {0x3c00, 0xc000, 0x0001, 0x7e00};
  const std::uint16_t bf16[] = {0x3f80, 0xc000};
  const auto entry_at_odd_address = [](std::string& storage, std::span<const std::byte> bytes, core::Dtype dtype) {
    storage.assign(1, 'x');
    storage.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    TensorEntry entry;
    entry.name = "t";
    entry.dtype = dtype;
    entry.bytes = as_bytes(storage).subspan(1);
    return entry;
  };
  std::string storage;
  const auto full = read_floats(entry_at_odd_address(storage, std::as_bytes(std::span(f32)), core::Dtype::kF32));
  ASSERT_EQ(full.size(), 3u);
  EXPECT_EQ(full[0], 1.5f);
  EXPECT_TRUE(std::signbit(full[1]));
  EXPECT_EQ(full[2], 3.0e38f);
  const auto half = read_floats(entry_at_odd_address(storage, std::as_bytes(std::span(f16)), core::Dtype::kF16));
  ASSERT_EQ(half.size(), 4u);
  EXPECT_EQ(half[0], 1.0f);
  EXPECT_EQ(half[1], -2.0f);
  EXPECT_EQ(half[2], 0x1p-24f);
  EXPECT_TRUE(std::isnan(half[3]));
  EXPECT_EQ(read_floats(entry_at_odd_address(storage, std::as_bytes(std::span(bf16)), core::Dtype::kBF16)),
            (std::vector<float>{1.0f, -2.0f}));
  expect_user_error([&] { return read_floats(entry_at_odd_address(storage, {}, core::Dtype::kQ4_0)); },
                    {"\"t\"", "F32"});
}

}  // namespace
}  // namespace qzo::io
