#pragma once
// One quantized layer by its true codes, zero points and scales, written in the layouts of Hugging Face folders: an
// independent second reading of what the drawings in include/qzo/quant/formats say.

#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "qzo/core/dtype.h"
#include "qzo/core/half.h"

namespace qzo::test {

struct StoredTensor {
  core::Dtype dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};
using StoredTensors = std::map<std::string, StoredTensor>;

template <class T>
std::string bytes_of(const T& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string halves(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += bytes_of(core::float_to_half(value));
  return bytes;
}

struct PackedLayer {
  std::size_t in = 40, out = 24, group = 16;
  unsigned bits = 4;
  std::vector<std::uint8_t> codes = {};  // [in, out]
  std::vector<std::uint8_t> zeros = {};  // [groups, out], true
  std::vector<float> scales = {};        // [groups, out], exact in half
  std::vector<std::int32_t> g_idx = {};  // [in]

  std::size_t groups() const { return (in + group - 1) / group; }
  std::int64_t largest() const { return (std::int64_t{1} << bits) - 1; }
  // [out, in] by the definition.
  std::vector<float> expected() const {
    std::vector<float> weight;
    for (std::size_t n = 0; n < out; ++n) {
      for (std::size_t k = 0; k < in; ++k) {
        const std::size_t at = static_cast<std::size_t>(g_idx[k]) * out + n;
        weight.push_back(scales[at] * static_cast<float>(codes[k * out + n] - zeros[at]));
      }
    }
    return weight;
  }
  // [groups, out] to [out, groups].
  template <class T>
  std::vector<T> by_output(const std::vector<T>& values) const {
    std::vector<T> result;
    for (std::size_t n = 0; n < out; ++n)
      for (std::size_t g = 0; g < groups(); ++g) result.push_back(values[g * out + n]);
    return result;
  }
};

// Integers of `bits` bits as a little-endian stream in whole words of 32.
inline std::vector<std::uint32_t> stream_words(const std::vector<std::uint8_t>& values, unsigned bits) {
  std::vector<std::uint32_t> words((values.size() * bits + 31) / 32);
  for (std::size_t i = 0; i < values.size() * bits; ++i)
    words[i / 32] |= (std::uint32_t{values[i / bits]} >> i % bits & 1U) << i % 32;
  return words;
}

inline std::vector<std::int64_t> shape_of(std::size_t rows, std::size_t columns) {
  return {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)};
}

// streams[i] has the words of column i: [words, columns] row by row.
inline std::string words_by_row(const std::vector<std::vector<std::uint32_t>>& streams) {
  std::string bytes;
  for (std::size_t row = 0; row < streams.front().size(); ++row)
    for (const auto& stream : streams) bytes += bytes_of(stream[row]);
  return bytes;
}

inline StoredTensors gptq_tensors(const PackedLayer& layer, const std::string& stem, bool v1) {
  std::vector<std::vector<std::uint32_t>> columns;
  for (std::size_t n = 0; n < layer.out; ++n) {
    std::vector<std::uint8_t> codes = {};
    for (std::size_t k = 0; k < layer.in; ++k) codes.push_back(layer.codes[k * layer.out + n]);
    columns.push_back(stream_words(codes, layer.bits));
  }
  std::string qzeros, index;
  for (std::size_t g = 0; g < layer.groups(); ++g) {
    std::vector<std::uint8_t> stored;
    for (std::size_t n = 0; n < layer.out; ++n) {
      const std::int64_t zero = layer.zeros[g * layer.out + n];
      stored.push_back(static_cast<std::uint8_t>((v1 ? zero + layer.largest() : zero) & layer.largest()));
    }
    for (const std::uint32_t word : stream_words(stored, layer.bits)) qzeros += bytes_of(word);
  }
  for (const std::int32_t value : layer.g_idx) index += bytes_of(value);
  return {
      {stem + ".qweight", {core::Dtype::kI32, shape_of(layer.in * layer.bits / 32, layer.out), words_by_row(columns)}},
      {stem + ".qzeros", {core::Dtype::kI32, shape_of(layer.groups(), layer.out * layer.bits / 32), qzeros}},
      {stem + ".scales", {core::Dtype::kF16, shape_of(layer.groups(), layer.out), halves(layer.scales)}},
      {stem + ".g_idx", {core::Dtype::kI32, {static_cast<std::int64_t>(layer.in)}, index}}};
}

// AWQ: output 0, 2, 4, 6, 1, 3, 5, 7 of eight from the low nibble up.
inline std::string awq_words(const std::vector<std::uint8_t>& values) {
  constexpr std::size_t kOutput[] = {0, 2, 4, 6, 1, 3, 5, 7};
  std::string bytes;
  for (std::size_t i = 0; i < values.size(); i += 8) {
    std::uint32_t word = 0;
    for (std::size_t nibble = 0; nibble < 8; ++nibble) word |= std::uint32_t{values[i + kOutput[nibble]]} << 4 * nibble;
    bytes += bytes_of(word);
  }
  return bytes;
}

inline StoredTensors awq_tensors(const PackedLayer& layer, const std::string& stem) {
  return {{stem + ".qweight", {core::Dtype::kI32, shape_of(layer.in, layer.out / 8), awq_words(layer.codes)}},
          {stem + ".qzeros", {core::Dtype::kI32, shape_of(layer.groups(), layer.out / 8), awq_words(layer.zeros)}},
          {stem + ".scales", {core::Dtype::kF16, shape_of(layer.groups(), layer.out), halves(layer.scales)}}};
}

// Packed to layer.bits, 4 or 8; zero points and g_idx are always written.
inline StoredTensors compressed_tensors(const PackedLayer& layer, const std::string& stem) {
  std::string packed, index;
  for (std::size_t n = 0; n < layer.out; ++n) {
    std::vector<std::uint8_t> codes = {};
    for (std::size_t k = 0; k < layer.in; ++k) codes.push_back(layer.codes[k * layer.out + n]);
    for (const std::uint32_t word : stream_words(codes, layer.bits)) packed += bytes_of(word);
  }
  std::vector<std::vector<std::uint32_t>> zeros;
  for (std::size_t g = 0; g < layer.groups(); ++g)
    zeros.push_back(stream_words({layer.zeros.begin() + static_cast<std::ptrdiff_t>(g * layer.out),
                                  layer.zeros.begin() + static_cast<std::ptrdiff_t>((g + 1) * layer.out)},
                                 layer.bits));
  for (const std::int32_t value : layer.g_idx) index += bytes_of(value);
  const auto shape = shape_of(layer.out, layer.in);
  return {{stem + ".weight_packed", {core::Dtype::kI32, shape_of(layer.out, layer.in * layer.bits / 32), packed}},
          {stem + ".weight_scale",
           {core::Dtype::kF16, shape_of(layer.out, layer.groups()), halves(layer.by_output(layer.scales))}},
          {stem + ".weight_zero_point",
           {core::Dtype::kI32, shape_of(zeros.front().size(), layer.groups()), words_by_row(zeros)}},
          {stem + ".weight_g_idx", {core::Dtype::kI32, {static_cast<std::int64_t>(layer.in)}, index}},
          {stem + ".weight_shape", {core::Dtype::kI64, {2}, bytes_of(shape[0]) + bytes_of(shape[1])}}};
}

// A flat matrix of HQQ in groups of `group`, along the inputs (axis 1) or the outputs (axis 0).
struct HqqLayer {
  std::size_t out = 8, in = 12, group = 4, axis = 1;
  unsigned bits = 4;
  std::vector<std::uint8_t> codes = {};        // [out, in]
  std::vector<float> scales = {}, zeros = {};  // a value a group, exact in half

  std::size_t group_of(std::size_t n, std::size_t k) const {
    const std::size_t flat = n * in + k;
    return axis == 1 ? flat / group : flat % (out * in / group);
  }
  std::vector<float> expected() const {
    std::vector<float> weight;
    for (std::size_t n = 0; n < out; ++n)
      for (std::size_t k = 0; k < in; ++k)
        weight.push_back((static_cast<float>(codes[n * in + k]) - zeros[group_of(n, k)]) * scales[group_of(n, k)]);
    return weight;
  }
  StoredTensors tensors(const std::string& stem) const {
    std::string packed(codes.begin(), codes.end());
    if (bits == 4) {
      const std::size_t half = codes.size() / 2;
      packed.clear();
      for (std::size_t i = 0; i < half; ++i) packed += static_cast<char>(codes[i] << 4 | codes[half + i]);
    }
    const std::size_t groups = out * in / group;
    const auto matrix = axis == 1 ? shape_of(groups * bits / 8, group) : shape_of(group * bits / 8, groups);
    const auto column = axis == 1 ? shape_of(groups, 1) : shape_of(1, groups);
    const auto number = [](std::int32_t value) { return StoredTensor{core::Dtype::kI32, {}, bytes_of(value)}; };
    const auto no = StoredTensor{core::Dtype::kU8, {}, std::string(1, '\0')};
    const auto shape = shape_of(out, in);
    return {{stem + ".W_q", {core::Dtype::kU8, matrix, packed}},
            {stem + ".scale", {core::Dtype::kF16, column, halves(scales)}},
            {stem + ".zero", {core::Dtype::kF16, column, halves(zeros)}},
            {stem + ".nbits", number(static_cast<std::int32_t>(bits))},
            {stem + ".group_size", number(static_cast<std::int32_t>(group))},
            {stem + ".axis", number(static_cast<std::int32_t>(axis))},
            {stem + ".shape", {core::Dtype::kI64, {2}, bytes_of(shape[0]) + bytes_of(shape[1])}},
            {stem + ".quant_scale", no},
            {stem + ".quant_zero", no},
            {stem + ".view_as_float", no}};
  }
};

// The same weights with groups along the inputs; fp32 rounds them differently, since zero points are fractions here.
inline HqqLayer as_hqq(const PackedLayer& layer) {
  HqqLayer hqq{.out = layer.out,
               .in = layer.in,
               .group = layer.group,
               .axis = 1,
               .bits = layer.bits == 8 ? 8U : 4U,
               .codes = {},
               .scales = layer.by_output(layer.scales),
               .zeros = {}};
  for (std::size_t n = 0; n < layer.out; ++n)
    for (std::size_t k = 0; k < layer.in; ++k) hqq.codes.push_back(layer.codes[k * layer.out + n]);
  for (const std::uint8_t zero : layer.by_output(layer.zeros)) hqq.zeros.push_back(zero);
  return hqq;
}

}  // namespace qzo::test
