#include "qzo/io/gguf.h"

#include "unit/io/gguf_builder.h"

namespace qzo::io {
namespace {

using testing::as_bytes;
using testing::expect_user_error;
using testing::gguf_string;
using testing::GgufBuilder;
using testing::little_endian;

constexpr std::uint32_t kU8 = 0, kI8 = 1, kU16 = 2, kI16 = 3, kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kString = 8,
                        kArray = 9, kU64 = 10, kI64 = 11, kF64 = 12;
constexpr std::uint32_t kTypeF32 = 0, kTypeF16 = 1, kTypeQ4_0 = 2, kTypeQ2_K = 10, kTypeMxfp4 = 39;

std::vector<TensorEntry> tensors_of(const std::string& bytes) {
  std::vector<TensorEntry> tensors;
  parse_gguf(as_bytes(bytes), "m.gguf", tensors);
  return tensors;
}

GgufMetadata metadata_of(const std::string& bytes) {
  std::vector<TensorEntry> tensors;
  return parse_gguf(as_bytes(bytes), "m.gguf", tensors);
}

void expect_refused(const std::string& bytes, std::initializer_list<std::string_view> parts) {
  expect_user_error([&] { tensors_of(bytes); }, parts);
  expect_user_error([&] { tensors_of(bytes); }, {"m.gguf"});
}

TEST(Gguf, ReadsEveryScalarType) {
  const std::string file = GgufBuilder()
                               .pair("u8", kU8, "\xff")
                               .pair("i8", kI8, "\xff")
                               .pair("u16", kU16, little_endian<std::uint16_t>(65535))
                               .pair("i16", kI16, little_endian<std::int16_t>(-2))
                               .pair("u32", kU32, little_endian<std::uint32_t>(4294967295u))
                               .pair("i32", kI32, little_endian<std::int32_t>(-3))
                               .pair("f32", kF32, little_endian(0.5f))
                               .pair("true", kBool, "\x01")
                               .pair("s", kString, gguf_string("any \xff bytes"))
                               .pair("u64", kU64, little_endian<std::uint64_t>(7))
                               .pair("huge", kU64, little_endian<std::uint64_t>(~0ull))
                               .pair("i64", kI64, little_endian<std::int64_t>(-4))
                               .pair("f64", kF64, little_endian(0.25))
                               .bytes();
  const GgufMetadata metadata = metadata_of(file);
  EXPECT_EQ(metadata.integer("u8"), 255);
  EXPECT_EQ(metadata.integer("i8"), -1);
  EXPECT_EQ(metadata.integer("u16"), 65535);
  EXPECT_EQ(metadata.integer("i16"), -2);
  EXPECT_EQ(metadata.integer("u32"), 4294967295);
  EXPECT_EQ(metadata.integer("i32"), -3);
  EXPECT_EQ(metadata.integer("u64"), 7);
  EXPECT_EQ(metadata.integer("i64"), -4);
  EXPECT_EQ(metadata.number("f32"), 0.5);
  EXPECT_EQ(metadata.number("f64"), 0.25);
  EXPECT_EQ(metadata.number("i64"), -4.0);
  EXPECT_EQ(metadata.find_bool("true"), true);
  EXPECT_EQ(metadata.string("s"), "any \xff bytes");
  EXPECT_EQ(std::get<std::uint64_t>(metadata.values.at("huge")), ~0ull);
  expect_user_error([&] { return metadata.integer("huge"); }, {"m.gguf", "huge", "18446744073709551615", "2^63 - 1"});
}

TEST(Gguf, ReadsArrays) {
  const std::string file = GgufBuilder()
                               .array("strings", kString, 2, gguf_string("a") + gguf_string("\xc3"))
                               .array("i32", kI32, 2, little_endian<std::int32_t>(-1) + little_endian<std::int32_t>(9))
                               .array("u8", kU8, 2, "\x01\xff")
                               .array("f32", kF32, 1, little_endian(1.5f))
                               .array("bool", kBool, 2, std::string("\x00\x01", 2))
                               .array("none", kString, 0, "")
                               .bytes();
  const GgufMetadata metadata = metadata_of(file);
  EXPECT_EQ(*metadata.find_strings("strings"), (std::vector<std::string>{"a", "\xc3"}));
  EXPECT_EQ(*metadata.find_integers("i32"), (std::vector<std::int64_t>{-1, 9}));
  EXPECT_EQ(*metadata.find_integers("u8"), (std::vector<std::int64_t>{1, 255}));
  EXPECT_EQ(*metadata.find_numbers("f32"), (std::vector<double>{1.5}));
  EXPECT_EQ(*metadata.find_integers("bool"), (std::vector<std::int64_t>{0, 1}));
  EXPECT_TRUE(metadata.find_strings("none")->empty());
}

TEST(Gguf, TypedAccessNamesFileAndKey) {
  const GgufMetadata metadata = metadata_of(GgufBuilder().pair("name", kString, gguf_string("llama")).bytes());
  EXPECT_TRUE(metadata.has("name"));
  EXPECT_FALSE(metadata.has("absent"));
  EXPECT_EQ(metadata.find_integer("absent"), std::nullopt);
  EXPECT_EQ(metadata.find_number("absent"), std::nullopt);
  EXPECT_EQ(metadata.find_bool("absent"), std::nullopt);
  EXPECT_EQ(metadata.find_string("absent"), nullptr);
  EXPECT_EQ(metadata.find_strings("absent"), nullptr);
  expect_user_error([&] { return metadata.integer("absent"); }, {"m.gguf", "absent", "missing", "integer"});
  expect_user_error([&] { return metadata.number("absent"); }, {"m.gguf", "absent", "missing", "number"});
  expect_user_error([&] { return metadata.string("absent"); }, {"m.gguf", "absent", "missing", "string"});
  expect_user_error([&] { return metadata.integer("name"); }, {"m.gguf", "name", "llama", "integer"});
  expect_user_error([&] { return metadata.number("name"); }, {"m.gguf", "name", "llama", "number"});
  expect_user_error([&] { return metadata.find_bool("name"); }, {"m.gguf", "name", "boolean"});
  expect_user_error([&] { return metadata.find_strings("name"); }, {"m.gguf", "name", "array of strings"});
}

TEST(Gguf, ReadsTensorsSlowestDimensionFirst) {
  GgufBuilder builder;
  builder.version = 2;
  builder.tensor("w", {64, 3}, kTypeQ4_0, 32).tensor("b", {3}, kTypeF32, 0);
  builder.data = std::string(12, 'b') + std::string(20, '\0') + std::string(3 * 2 * 18, 'w');
  const std::string file = builder.bytes();
  const auto tensors = tensors_of(file);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "b");
  EXPECT_EQ(tensors[0].bytes.size(), 12u);
  EXPECT_EQ(tensors[1].shape, (std::vector<std::int64_t>{3, 64}));
  EXPECT_EQ(tensors[1].dtype, core::Dtype::kQ4_0);
  EXPECT_EQ(tensors[1].bytes.size(), 3u * 2 * 18);
  EXPECT_EQ(file.substr(tensors[1].offset, 2), "ww");
  EXPECT_EQ(tensors[1].bytes.data(), as_bytes(file).data() + tensors[1].offset);
}

TEST(Gguf, AlignmentComesFromTheFile) {
  GgufBuilder builder;
  builder.alignment = 64;
  builder.pair("general.alignment", kU32, little_endian<std::uint32_t>(64)).tensor("t", {4}, kTypeF16, 64);
  builder.data = std::string(72, 'x');
  EXPECT_EQ(tensors_of(builder.bytes())[0].offset % 64, 0u);
  for (const std::uint32_t wrong : {0u, 24u}) {
    expect_refused(GgufBuilder().pair("general.alignment", kU32, little_endian(wrong)).bytes(),
                   {"general.alignment", std::to_string(wrong), "power of two"});
  }
  expect_refused(GgufBuilder().pair("general.alignment", kString, gguf_string("32")).bytes(), {"general.alignment"});
}

TEST(Gguf, VocabularyOnlyFilesMayEndBeforeTheData) {
  const std::string tables = GgufBuilder().array("tokenizer.ggml.tokens", kString, 1, gguf_string("a")).tables();
  ASSERT_NE(tables.size() % 32, 0u);
  EXPECT_EQ(metadata_of(tables).find_strings("tokenizer.ggml.tokens")->size(), 1u);
}

TEST(Gguf, RefusesOtherFilesAndVersions) {
  expect_refused("", {"0 bytes"});
  expect_refused("GGML____________________", {"GGUF"});
  GgufBuilder builder;
  builder.version = 1;
  expect_refused(builder.bytes(), {"version 1", "2 or 3"});
  builder.version = 4;
  expect_refused(builder.bytes(), {"version 4", "2 or 3"});
  builder.version = 0x03000000;
  expect_refused(builder.bytes(), {"big-endian"});
}

TEST(Gguf, EveryPrefixOfAFileIsRefused) {
  GgufBuilder builder;
  builder.pair("n", kU32, little_endian<std::uint32_t>(1)).array("a", kString, 1, gguf_string("xyz"));
  builder.tensor("t", {2}, kTypeF32, 0);
  builder.data = "12345678";
  const std::string file = builder.bytes();
  ASSERT_EQ(tensors_of(file).size(), 1u);
  for (std::size_t length = 0; length < file.size(); ++length) expect_refused(file.substr(0, length), {"m.gguf"});
}

TEST(Gguf, RefusesCountsBeyondTheFile) {
  GgufBuilder pairs;
  pairs.claimed_pairs = 1ull << 60;
  expect_refused(pairs.bytes(), {"metadata", "1152921504606846976"});
  GgufBuilder tensors;
  tensors.claimed_tensors = ~0ull;
  expect_refused(tensors.bytes(), {"tensor table", "18446744073709551615"});
  for (const std::uint32_t type : {kU8, kI64, kF64, kString, kBool}) {
    expect_refused(GgufBuilder().array("a", type, 1ull << 61, "").bytes(), {"\"a\"", "2305843009213693952"});
  }
  expect_refused(GgufBuilder().pair("s", kString, little_endian<std::uint64_t>(~0ull)).bytes(), {"\"s\""});
}

TEST(Gguf, RefusesBrokenMetadata) {
  expect_refused(GgufBuilder().pair("k", kU8, "a").pair("k", kU8, "b").bytes(), {"\"k\"", "twice"});
  expect_refused(GgufBuilder().pair("\xff", kU8, "a").bytes(), {"UTF-8"});
  expect_refused(GgufBuilder().pair("k", 13, "a").bytes(), {"\"k\"", "13"});
  expect_refused(GgufBuilder().pair("k", kBool, "\x02").bytes(), {"\"k\"", "2", "0 or 1"});
  expect_refused(GgufBuilder().array("k", kArray, 1, "abcdefghabcdefgh").bytes(), {"\"k\"", "array of arrays"});
  expect_refused(GgufBuilder().array("k", 77, 1, "abcdefgh").bytes(), {"\"k\"", "77"});
  expect_refused(GgufBuilder().array("k", kU64, 1, little_endian<std::uint64_t>(~0ull)).bytes(), {"\"k\"", "2^63"});
}

std::string with_tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions, std::uint32_t type,
                        std::uint64_t offset) {
  GgufBuilder builder;
  builder.tensor(name, dimensions, type, offset);
  builder.data = std::string(64, 'x');
  return builder.bytes();
}

TEST(Gguf, RefusesBrokenTensors) {
  EXPECT_EQ(tensors_of(with_tensor("t", {16}, kTypeF32, 0)).size(), 1u);
  EXPECT_EQ(tensors_of(with_tensor("t", {}, kTypeF32, 0))[0].bytes.size(), 4u);
  EXPECT_EQ(tensors_of(with_tensor("t", {0, 3}, kTypeQ4_0, 64))[0].bytes.size(), 0u);
  expect_refused(with_tensor("", {1}, kTypeF32, 0), {"name"});
  expect_refused(with_tensor("\xc0", {1}, kTypeF32, 0), {"UTF-8"});
  expect_refused(with_tensor("t", {1, 1, 1, 1, 1}, kTypeF32, 0), {"\"t\"", "5 dimensions"});
  expect_refused(with_tensor("t", {1ull << 63}, kTypeF32, 0), {"\"t\"", "9223372036854775808"});
  expect_refused(with_tensor("t", {1ull << 32, 1ull << 32}, kTypeF32, 0), {"\"t\"", "64 bits"});
  expect_refused(with_tensor("t", {1ull << 62}, kTypeF32, 0), {"\"t\"", "64 bits"});
  expect_refused(with_tensor("t", {33}, kTypeQ4_0, 0), {"\"t\"", "[33]", "32", "Q4_0"});
  expect_refused(with_tensor("t", {256}, kTypeQ2_K, 0), {"\"t\"", "Q2_K", "not supported"});
  expect_refused(with_tensor("t", {32}, kTypeMxfp4, 0), {"\"t\"", "MXFP4"});
  expect_refused(with_tensor("t", {32}, 24, 0), {"\"t\"", "I8"});
  expect_refused(with_tensor("t", {32}, 1000, 0), {"\"t\"", "number 1000"});
  expect_refused(with_tensor("t", {1}, kTypeF32, 8), {"\"t\"", "8", "alignment 32"});
  expect_refused(with_tensor("t", {1}, kTypeF32, 64), {"\"t\"", "cut off"});
  expect_refused(with_tensor("t", {17}, kTypeF32, 0), {"\"t\"", "68", "64"});
  expect_refused(with_tensor("t", {1}, kTypeF32, ~0ull - 31), {"\"t\""});
}

TEST(Gguf, RefusesTwinsAndOverlaps) {
  GgufBuilder twins;
  twins.tensor("t", {1}, kTypeF32, 0).tensor("t", {1}, kTypeF32, 32);
  twins.data = std::string(64, 'x');
  expect_refused(twins.bytes(), {"\"t\"", "twice"});
  GgufBuilder overlap;
  overlap.tensor("late", {4}, kTypeF32, 32).tensor("early", {9}, kTypeF32, 0);
  overlap.data = std::string(64, 'x');
  expect_refused(overlap.bytes(), {"\"late\"", "\"early\"", "inside"});
}

}  // namespace
}  // namespace qzo::io
