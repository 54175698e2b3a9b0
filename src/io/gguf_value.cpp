#include "io/gguf_value.h"

#include "qzo/core/text.h"

#include "io/gguf_types.h"

namespace qzo::io {
namespace {

[[noreturn]] void fail_type(const ByteCursor& in, GgufValueType type) {
  in.fail(core::text("has value type ", static_cast<std::uint32_t>(type), ", expected 0 to 12; the file is damaged or ",
                     "newer than this program"));
}

bool read_bool(ByteCursor& in) {
  const auto byte = in.read<std::uint8_t>();
  if (byte > 1) in.fail(core::text("is a boolean with the value ", static_cast<int>(byte), ", expected 0 or 1"));
  return byte == 1;
}

template <class Integer>
GgufValue read_integer(ByteCursor& in) {
  const auto value = in.read<Integer>();
  if (std::in_range<std::int64_t>(value)) return static_cast<std::int64_t>(value);
  return static_cast<std::uint64_t>(value);
}

GgufValue read_scalar(ByteCursor& in, GgufValueType type) {
  switch (type) {
    case GgufValueType::kU8:
      return read_integer<std::uint8_t>(in);
    case GgufValueType::kI8:
      return read_integer<std::int8_t>(in);
    case GgufValueType::kU16:
      return read_integer<std::uint16_t>(in);
    case GgufValueType::kI16:
      return read_integer<std::int16_t>(in);
    case GgufValueType::kU32:
      return read_integer<std::uint32_t>(in);
    case GgufValueType::kI32:
      return read_integer<std::int32_t>(in);
    case GgufValueType::kU64:
      return read_integer<std::uint64_t>(in);
    case GgufValueType::kI64:
      return read_integer<std::int64_t>(in);
    case GgufValueType::kF32:
      return static_cast<double>(in.read<float>());
    case GgufValueType::kF64:
      return in.read<double>();
    case GgufValueType::kBool:
      return read_bool(in);
    case GgufValueType::kString:
      return std::string(in.read_string());
    case GgufValueType::kArray:
      break;
  }
  fail_type(in, type);
}

template <class Integer>
std::vector<std::int64_t> read_integers(ByteCursor& in, std::uint64_t count) {
  in.expect(count, sizeof(Integer));
  std::vector<std::int64_t> values(count);
  for (std::int64_t& value : values) {
    const auto element = in.read<Integer>();
    if (!std::in_range<std::int64_t>(element)) {
      in.fail(core::text("holds the integer ", element, " in an array, expected at most 2^63 - 1"));
    }
    value = static_cast<std::int64_t>(element);  // NOLINT(bugprone-signed-char-misuse): an i8 is a number
  }
  return values;
}

template <class Float>
std::vector<double> read_numbers(ByteCursor& in, std::uint64_t count) {
  in.expect(count, sizeof(Float));
  std::vector<double> values(count);
  for (double& value : values) value = static_cast<double>(in.read<Float>());
  return values;
}

std::vector<std::int64_t> read_bools(ByteCursor& in, std::uint64_t count) {
  in.expect(count, 1);
  std::vector<std::int64_t> values(count);
  for (std::int64_t& value : values) value = read_bool(in) ? 1 : 0;
  return values;
}

std::vector<std::string> read_strings(ByteCursor& in, std::uint64_t count) {
  in.expect(count, sizeof(std::uint64_t));
  std::vector<std::string> values;
  values.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) values.emplace_back(in.read_string());
  return values;
}

GgufValue read_array(ByteCursor& in) {
  const auto type = static_cast<GgufValueType>(in.read<std::uint32_t>());
  const auto count = in.read<std::uint64_t>();
  switch (type) {
    case GgufValueType::kU8:
      return read_integers<std::uint8_t>(in, count);
    case GgufValueType::kI8:
      return read_integers<std::int8_t>(in, count);
    case GgufValueType::kU16:
      return read_integers<std::uint16_t>(in, count);
    case GgufValueType::kI16:
      return read_integers<std::int16_t>(in, count);
    case GgufValueType::kU32:
      return read_integers<std::uint32_t>(in, count);
    case GgufValueType::kI32:
      return read_integers<std::int32_t>(in, count);
    case GgufValueType::kU64:
      return read_integers<std::uint64_t>(in, count);
    case GgufValueType::kI64:
      return read_integers<std::int64_t>(in, count);
    case GgufValueType::kF32:
      return read_numbers<float>(in, count);
    case GgufValueType::kF64:
      return read_numbers<double>(in, count);
    case GgufValueType::kBool:
      return read_bools(in, count);
    case GgufValueType::kString:
      return read_strings(in, count);
    case GgufValueType::kArray:
      in.fail("is an array of arrays, which is not supported");
  }
  fail_type(in, type);
}

}  // namespace

GgufValue read_gguf_value(ByteCursor& in) {
  const auto type = static_cast<GgufValueType>(in.read<std::uint32_t>());
  return type == GgufValueType::kArray ? read_array(in) : read_scalar(in, type);
}

}  // namespace qzo::io
