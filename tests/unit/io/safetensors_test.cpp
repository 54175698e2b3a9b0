#include "qzo/io/safetensors.h"

#include "unit/io/test_files.h"

namespace qzo::io {
namespace {

using testing::as_bytes;
using testing::expect_user_error;
using testing::little_endian;
using testing::read_bytes;
using testing::safetensors;
using testing::TempFolder;

std::vector<TensorEntry> parse(const std::string& bytes, std::map<std::string, std::string>* metadata = nullptr) {
  return parse_safetensors(as_bytes(bytes), "m.safetensors", metadata);
}

void expect_refused(const std::string& bytes, std::initializer_list<std::string_view> parts) {
  expect_user_error([&] { parse(bytes); }, parts);
  expect_user_error([&] { parse(bytes); }, {"m.safetensors"});
}

TEST(Safetensors, ReadsTensorsInOrderOfTheirBytes) {
  std::map<std::string, std::string> metadata;
  const std::string file = safetensors(R"({"__metadata__":{"format":"pt"},
      "late":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},
      "early":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}   )",
                                       "abcdef");
  const auto entries = parse(file, &metadata);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(metadata.at("format"), "pt");
  EXPECT_EQ(entries[0].name, "early");
  EXPECT_EQ(entries[0].dtype, core::Dtype::kF16);
  EXPECT_EQ(entries[0].shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(entries[1].name, "late");
  EXPECT_EQ(file.substr(entries[1].offset, entries[1].bytes.size()), "ef");
  EXPECT_EQ(entries[1].bytes[1], std::byte{'f'});
}

TEST(Safetensors, EveryDtypeHasItsWidth) {
  const std::pair<const char*, int> widths[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
                                                {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                                                {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};
  for (const auto& [name, width] : widths) {
    const std::string header = std::string(R"({"t":{"dtype":")") + name + R"(","shape":[3],"data_offsets":[0,)" +
                               std::to_string(3 * width) + "]}}";
    EXPECT_EQ(parse(safetensors(header, std::string(static_cast<std::size_t>(3 * width), 'x'))).size(), 1u) << name;
  }
}

TEST(Safetensors, EmptyAndScalarTensorsAreValid) {
  const auto entries = parse(safetensors(R"({"scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
      "empty_at_end":{"dtype":"F32","shape":[0,5],"data_offsets":[4,4]},
      "empty_at_start":{"dtype":"F32","shape":[7,0],"data_offsets":[0,0]}})",
                                         "abcd"));
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "empty_at_start");
  EXPECT_EQ(entries[1].name, "scalar");
  EXPECT_TRUE(parse(safetensors("{}")).empty());
}

TEST(Safetensors, RefusesBrokenHeaders) {
  expect_refused("", {"0 bytes"});
  expect_refused("1234567", {"7 bytes"});
  expect_refused(little_endian<std::uint64_t>(1ull << 40) + "{}", {"1099511627776", "100000000"});
  expect_refused(little_endian<std::uint64_t>(~0ull) + "{}", {"100000000"});
  expect_refused(little_endian<std::uint64_t>(3) + "{}", {"3 bytes", "2"});
  expect_refused(safetensors(""), {"'{'"});
  expect_refused(safetensors("[]"), {"'{'"});
  expect_refused(safetensors(" {}"), {"'{'"});
  expect_refused(safetensors("{\"t\":"), {});
  expect_refused(safetensors("{\"\xff\":{}}"), {});
  std::string deep(60000, '[');
  expect_refused(safetensors("{\"a\":" + deep), {});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
                                 "t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                             "x"),
                 {"t"});
  expect_refused(safetensors(R"({"__metadata__":{"format":1}})"), {"__metadata__", "format", "string"});
  expect_refused(safetensors(R"({"__metadata__":[]})"), {"__metadata__"});
}

TEST(Safetensors, RefusesBrokenEntries) {
  expect_refused(safetensors(R"({"t":5})"), {"\"t\"", "object"});
  expect_refused(safetensors(R"({"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"), {"without a name"});
  expect_refused(safetensors(R"({"t":{"shape":[1],"data_offsets":[0,1]}})", "x"), {"\"t\"", "dtype"});
  expect_refused(safetensors(R"({"t":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}})", "x"),
                 {"\"t\"", "\"F4\"", "F16"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","data_offsets":[0,1]}})", "x"), {"\"t\"", "shape"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "x"), {"\"t\"", "-1"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", "x"), {"\"t\"", "1.0"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}})", "x"),
                 {"\"t\"", "9223372036854775808"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[1]}})", "x"), {"\"t\"", "data_offsets"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "x"), {"\"t\"", "[0]"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,"1"]}})", "x"), {"\"t\""});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}})", "x"), {"\"t\"", "-1"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "x"),
                 {"\"t\"", "begin <= end"});
}

TEST(Safetensors, RefusesSizesThatDoNotFit) {
  expect_refused(safetensors(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "abcd"), {"\"t\"", "4", "8"});
  // 2^32 * 2^32 wraps to 0 in 64 bits.
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
                 {"\"t\"", "64 bits"});
  // 2^62 elements of 8 bytes wrap as well.
  expect_refused(safetensors(R"({"t":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}})"),
                 {"\"t\"", "64 bits"});
  // The zero must not hide an overflow from whoever multiplies in another order.
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})"),
                 {"\"t\"", "64 bits"});
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", "abcd"), {"\"t\"", "cut off"});
}

TEST(Safetensors, RefusesHolesOverlapsAndLeftOvers) {
  expect_refused(safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "ab"),
                 {"\"t\"", "1", "expected 0"});
  expect_refused(safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
                                 "b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                             "abc"),
                 {"\"b\"", "expected 1"});
  expect_refused(safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
                                 "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                             "abc"),
                 {"\"b\"", "\"a\"", "overlap"});
  expect_refused(safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "abc"), {"3 bytes", "2"});
  expect_refused(safetensors("{}", "x"), {"1 bytes"});
}

TEST(Safetensors, WritesWhatItReads) {
  TempFolder folder;
  const auto file = folder.path() / "w.safetensors";
  const std::string bytes1 = "abc";
  const std::string bytes2 = little_endian(1.0f) + little_endian(-2.0f);
  const std::vector<TensorToWrite> tensors = {
      {"codes", core::Dtype::kU8, {3}, as_bytes(bytes1)},
      {"scales", core::Dtype::kF32, {2, 1}, as_bytes(bytes2)},
      {"nothing", core::Dtype::kF16, {0}, {}},
      {"scalar", core::Dtype::kF32, {}, as_bytes(bytes2).subspan(0, 4)},
  };
  write_safetensors(file, tensors, {{"step", "400"}});

  TensorSource source;
  const auto metadata = read_safetensors(file, source);
  EXPECT_EQ(metadata.at("format"), "pt");
  EXPECT_EQ(metadata.at("step"), "400");
  ASSERT_EQ(source.entries().size(), tensors.size());
  for (const TensorToWrite& tensor : tensors) {
    const TensorEntry* entry = source.find(tensor.name);
    ASSERT_NE(entry, nullptr) << tensor.name;
    EXPECT_EQ(entry->dtype, tensor.dtype);
    EXPECT_EQ(entry->shape, tensor.shape);
    EXPECT_TRUE(std::ranges::equal(entry->bytes, tensor.bytes)) << tensor.name;
    EXPECT_EQ(entry->offset % (tensor.dtype == core::Dtype::kF32 ? 4u : 1u), 0u) << tensor.name;
  }
  // Again, from what was read: the same bytes.
  std::vector<TensorToWrite> again;
  for (const TensorEntry& entry : source.entries())
    again.push_back({entry.name, entry.dtype, entry.shape, entry.bytes});
  write_safetensors(folder.path() / "again.safetensors", again, metadata);
  EXPECT_EQ(read_bytes(file), read_bytes(folder.path() / "again.safetensors"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2) << "a temporary file is left";
}

TEST(Safetensors, WriterRefusesWrongCallsAndMissingFolders) {
  TempFolder folder;
  const TensorToWrite short_tensor = {"t", core::Dtype::kF32, {2}, as_bytes("abcd")};
  EXPECT_THROW(write_safetensors(folder.path() / "x", std::span(&short_tensor, 1)), core::InternalError);
  const TensorToWrite block = {"t", core::Dtype::kQ4_0, {32}, as_bytes("0123456789abcdef01")};
  EXPECT_THROW(write_safetensors(folder.path() / "x", std::span(&block, 1)), core::InternalError);
  const TensorToWrite twice[] = {{"t", core::Dtype::kU8, {1}, as_bytes("a")},
                                 {"t", core::Dtype::kU8, {1}, as_bytes("b")}};
  EXPECT_THROW(write_safetensors(folder.path() / "x", twice), core::InternalError);
  EXPECT_THROW(write_safetensors(folder.path() / "absent" / "x", std::span(twice, 1)), core::EnvironmentError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace qzo::io
