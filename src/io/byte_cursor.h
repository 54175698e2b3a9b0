#pragma once
// Reads little-endian values from bytes of a file, never past their end.

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace qzo::io {

class ByteCursor {
 public:
  // `file` names the file in errors.
  ByteCursor(std::span<const std::byte> bytes, std::string file) : bytes_(bytes), file_(std::move(file)) {}

  // What is read next ("metadata key "x""), for the message of a file that ends inside it.
  void enter(std::string what) { what_ = std::move(what); }

  template <class Value>
  Value read() {
    static_assert(std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>);
    Value value;
    std::memcpy(&value, take(sizeof(Value)).data(), sizeof(Value));
    return value;
  }

  // u64 length, then that many bytes. Points into the file.
  std::string_view read_string() {
    const auto length = read<std::uint64_t>();
    const std::span<const std::byte> bytes = take(length);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // UserError unless `count` elements of at least `element_bytes` can follow: to be called before memory for them is
  // taken.
  void expect(std::uint64_t count, std::uint64_t element_bytes) const {
    if (count > remaining() / element_bytes) fail_short(count, element_bytes);
  }

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t remaining() const { return bytes_.size() - position_; }
  [[nodiscard]] const std::string& file() const { return file_; }

  // UserError "FILE: WHAT PROBLEM".
  [[noreturn]] void fail(const std::string& problem) const;

 private:
  std::span<const std::byte> take(std::uint64_t count) {
    expect(count, 1);
    const auto bytes = bytes_.subspan(position_, count);
    position_ += count;
    return bytes;
  }
  [[noreturn]] void fail_short(std::uint64_t count, std::uint64_t element_bytes) const;

  std::span<const std::byte> bytes_;
  std::string file_;
  std::string what_ = "the header";
  std::uint64_t position_ = 0;
};

}  // namespace qzo::io
