#pragma once
// Integers of a few bits packed into 32-bit words, low bits first: the columns of qweight, the rows of qzeros.

#include <cstdint>

namespace qzo::quantize {

// words[i * stride]: word i of the stream, zeroed before.
class BitStream {
 public:
  BitStream(std::uint32_t* words, std::int64_t stride) : words_(words), stride_(stride) {}

  void push(std::uint32_t value, int bits) {
    const std::int64_t word = position_ / 32;
    const auto shift = static_cast<int>(position_ % 32);
    words_[word * stride_] |= value << shift;
    if (shift + bits > 32) words_[(word + 1) * stride_] |= value >> (32 - shift);
    position_ += bits;
  }

 private:
  std::uint32_t* words_;
  std::int64_t stride_;
  std::int64_t position_ = 0;
};

}  // namespace qzo::quantize
