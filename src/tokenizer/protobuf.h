#pragma once
// Walks over the fields of a protocol-buffer message.

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace qzo::tokenizer {

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) : rest_(message) {}

  // The next field into number() and bytes() or integer(); false at the end and where the message is damaged.
  bool next() {
    if (rest_.empty()) return false;
    const auto key = varint();
    if (!key || *key >> 3 == 0) return damage();
    number_ = *key >> 3;
    switch (*key & 7) {
      case 0:
        return read_integer();
      case 1:
        return take(8);
      case 2: {
        const auto length = varint();
        return length ? take(*length) : damage();
      }
      case 5:
        return take(4);
      default:
        return damage();
    }
  }

  [[nodiscard]] bool damaged() const { return damaged_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t integer() const { return integer_; }
  // Of a field of four bytes; 0 otherwise.
  [[nodiscard]] float fp32() const {
    if (bytes_.size() != 4) return 0;
    std::uint32_t bits = 0;
    for (std::size_t i = 4; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes_[i]);
    return std::bit_cast<float>(bits);
  }

 private:
  bool damage() {
    damaged_ = true;
    rest_ = {};
    return false;
  }
  bool take(std::uint64_t length) {
    if (length > rest_.size()) return damage();
    integer_ = 0;
    bytes_ = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return true;
  }
  bool read_integer() {
    const auto value = varint();
    if (!value) return damage();
    integer_ = *value;
    bytes_ = {};
    return true;
  }
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  std::string_view rest_;
  std::string_view bytes_;
  std::uint64_t number_ = 0;
  std::uint64_t integer_ = 0;
  bool damaged_ = false;
};

}  // namespace qzo::tokenizer
