#pragma once
// A layer in table and codebook formats. Nothing is tuned: absmax blocks, and codebooks that are blocks of the matrix
// itself.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "qzo/core/half.h"
#include "qzo/core/json_file.h"

#include "support/packed_layer.h"

namespace qzo::test {

template <class T>
std::string joined(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline StoredTensors nf4_tensors(const PackedLayer& layer, const std::string& stem, bool nested) {
  const std::vector<float> values = layer.expected();
  const std::string name = stem + ".weight";
  StoredTensors tensors;
  const auto store = [&](const std::string& ending, core::Dtype dtype, std::vector<std::int64_t> shape,
                         const auto& stored) {
    tensors[name + ending] = {dtype, std::move(shape), joined(stored)};
  };
  static const std::vector<float> table = {
      -1.0F,      -0.6961928F, -0.52507305F, -0.39491749F, -0.28444138F, -0.18477343F, -0.09105004F, 0.0F,
      0.0795803F, 0.1609302F,  0.2461123F,   0.33791524F,  0.44070983F,  0.562617F,    0.72295684F,  1.0F};
  constexpr std::size_t kBlock = 64;
  const std::size_t blocks = (values.size() + kBlock - 1) / kBlock;
  std::vector<float> absmax(blocks);
  for (std::size_t i = 0; i < values.size(); ++i)
    absmax[i / kBlock] = std::max(absmax[i / kBlock], std::fabs(values[i]));
  const float largest = *std::ranges::max_element(absmax);
  std::vector<std::uint8_t> absmax_codes(blocks), codes(values.size() / 2);
  if (nested) {
    for (std::size_t b = 0; b < blocks; ++b) {
      absmax_codes[b] = static_cast<std::uint8_t>(std::lround(absmax[b] / largest * 255));
      absmax[b] = static_cast<float>(absmax_codes[b]) / 255.0F * largest;
    }
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float ratio = values[i] / absmax[i / kBlock];
    const auto nearest = std::ranges::min_element(table, {}, [&](float entry) { return std::fabs(entry - ratio); });
    codes[i / 2] |= static_cast<std::uint8_t>((nearest - table.begin()) << (i % 2 == 0 ? 4 : 0));
  }
  core::Json state = {
      {"quant_type", "nf4"}, {"blocksize", kBlock}, {"dtype", "float16"}, {"shape", {layer.out, layer.in}}};
  const auto count = static_cast<std::int64_t>(blocks);
  if (nested) {
    std::vector<float> ramp(256);
    for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i) / 255.0F;
    state["nested_blocksize"] = 65536;
    state["nested_dtype"] = "float32";
    state["nested_offset"] = 0.0;
    store(".absmax", core::Dtype::kU8, {count}, absmax_codes);
    store(".nested_absmax", core::Dtype::kF32, {1}, std::vector{largest});
    store(".nested_quant_map", core::Dtype::kF32, {256}, ramp);
  } else {
    store(".absmax", core::Dtype::kF32, {count}, absmax);
  }
  const std::string text = state.dump();
  store("", core::Dtype::kU8, {static_cast<std::int64_t>(codes.size()), 1}, codes);
  store(".quant_map", core::Dtype::kF32, {16}, table);
  store(".quant_state.bitsandbytes__nf4", core::Dtype::kU8, {static_cast<std::int64_t>(text.size())},
        std::vector<char>(text.begin(), text.end()));
  return tensors;
}

inline StoredTensors aqlm_tensors(const PackedLayer& layer, const std::string& stem) {
  std::vector<float> values = layer.expected();
  const std::size_t out = layer.out, width = layer.in;
  constexpr std::size_t kVector = 8, kVectors = 256;
  std::vector<std::uint16_t> scales, book(kVectors * kVector);
  for (std::size_t n = 0; n < out; ++n) {
    const std::span<float> row(values.data() + n * width, width);
    float largest = 0;
    for (const float value : row) largest = std::max(largest, std::fabs(value));
    scales.push_back(core::float_to_half(largest));
    for (float& value : row) value /= core::half_to_float(scales.back());
  }
  const std::size_t blocks = values.size() / kVector;
  for (std::size_t v = 0; v < kVectors; ++v)
    for (std::size_t i = 0; i < kVector; ++i)
      book[v * kVector + i] = core::float_to_half(values[v * blocks / kVectors * kVector + i]);
  std::vector<std::int8_t> codes;
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto distance = [&](std::size_t v) {
      float sum = 0;
      for (std::size_t i = 0; i < kVector; ++i) {
        const float difference = core::half_to_float(book[v * kVector + i]) - values[b * kVector + i];
        sum += difference * difference;
      }
      return sum;
    };
    std::size_t best = 0;
    float least = distance(0);
    for (std::size_t v = 1; v < kVectors; ++v) {
      if (const float other = distance(v); other < least) {
        least = other;
        best = v;
      }
    }
    codes.push_back(static_cast<std::int8_t>(static_cast<std::uint8_t>(best)));
  }
  const auto n = [](std::size_t size) { return static_cast<std::int64_t>(size); };
  return {{stem + ".codes", {core::Dtype::kI8, {n(out), n(width / 8), 1}, joined(codes)}},
          {stem + ".codebooks", {core::Dtype::kF16, {1, 256, 1, 8}, joined(book)}},
          {stem + ".scales", {core::Dtype::kF16, {n(out), 1, 1, 1}, joined(scales)}}};
}

}  // namespace qzo::test
