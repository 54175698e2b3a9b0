#pragma once
// A packed weight with random codes and scales of two signs, for tests of the kernels and of what is built on them.

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "qzo/core/half.h"
#include "qzo/kernels/weight_view.h"

#include "support/floats.h"

namespace qzo::test {

struct WeightShape {
  kernels::Layout layout;
  std::int64_t out;
  std::int64_t in;
  std::int64_t group = 32;  // all but GGUF blocks and AQLM; of outputs in kHqq*Axis0
  bool shuffled_groups = false;
  std::int32_t books = 1, bits = 8;  // AQLM
};

inline std::string layout_name(const WeightShape& shape) {
  const char* names[] = {"f32",   "f16",   "bf16", "gptq", "gptq2",      "gptq3",      "gptq8", "awq",
                         "rows4", "rows8", "hqq4", "hqq8", "hqq4_axis0", "hqq8_axis0", "q4_0",  "q4_1",
                         "q8_0",  "q5_0",  "q5_1", "q4_k", "q5_k",       "q6_k",       "table", "aqlm"};
  std::string name = names[static_cast<int>(shape.layout)];
  if (kernels::packed_bits(shape.layout) != 0 || shape.layout == kernels::Layout::kTable4)
    name += "_g" + std::to_string(shape.group);
  if (shape.layout == kernels::Layout::kAqlm)
    name += "_" + std::to_string(shape.books) + "x" + std::to_string(shape.bits);
  return shape.shuffled_groups ? name + "_shuffled" : name;
}

class RandomWeight {
 public:
  explicit RandomWeight(const WeightShape& shape, unsigned seed = 1) : shape_(shape), random_(seed) {
    using kernels::Layout;
    const std::int64_t weights = shape.out * shape.in;
    std::int64_t scales = weights / group();
    if (const int bits = kernels::packed_bits(shape.layout); bits != 0) {
      const std::int64_t groups = (shape.in + shape.group - 1) / shape.group;
      scales = kernels::groups_of_outputs(shape.layout) ? weights / shape.group : groups * shape.out;
      fill_bytes(weights * bits / 8);
      for (std::int64_t i = 0; i < scales; ++i) zeros_.push_back(static_cast<std::uint8_t>(random_() % (1U << bits)));
      if (shape.shuffled_groups)
        for (std::int64_t k = 0; k < shape.in; ++k)
          group_of_.push_back(static_cast<std::int32_t>(random_() % static_cast<unsigned>(groups)));
    } else if (shape.layout <= Layout::kDenseBF16) {
      scales = 0;
      fill_dense(weights);
    } else if (shape.layout == Layout::kTable4) {
      fill_bytes(weights / 2);
      table_ = uniform_vector(16);
    } else if (shape.layout == Layout::kAqlm) {
      fill_bytes(weights / 8 * shape.books * (shape.bits <= 8 ? 1 : 2));
      fill_codebooks();
    } else {
      const auto [inputs, bytes] = block_of(shape.layout);
      fill_bytes(weights / inputs * bytes);
    }
    for (auto* values : {&plus_, &minus_, &plus_offsets_, &minus_offsets_})
      for (std::int64_t i = 0; i < scales; ++i) values->push_back(uniform(-0.1F, 0.1F));
  }
  RandomWeight(const RandomWeight&) = delete;  // the views point into this object
  RandomWeight& operator=(const RandomWeight&) = delete;

  [[nodiscard]] kernels::CodeView view() const {
    const bool packed = kernels::packed_bits(shape_.layout) != 0;
    const bool dense = shape_.layout <= kernels::Layout::kDenseBF16;
    const bool aqlm = shape_.layout == kernels::Layout::kAqlm;
    return {
        .layout = shape_.layout,
        .out = shape_.out,
        .in = shape_.in,
        .group = dense ? 0 : group(),
        .codes = bytes_.data() + 1,  // unaligned on purpose
        .zeros = packed && !kernels::has_offsets(shape_.layout) ? zeros_.data() : nullptr,
        .group_of = group_of_.empty() ? nullptr : group_of_.data(),
        .table = table_.empty() ? nullptr : table_.data(),
        .codebooks = {.vectors = aqlm ? codebooks_.data() + 1 : nullptr, .books = shape_.books, .bits = shape_.bits}};
  }
  [[nodiscard]] kernels::ScaleView plus() const { return scale_view(plus_, plus_offsets_); }
  [[nodiscard]] kernels::ScaleView minus() const { return scale_view(minus_, minus_offsets_); }

  float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(random_); }
  Floats uniform_vector(std::int64_t count) {
    Floats values = Floats::filled(count);
    for (float& value : values) value = uniform(-1.0F, 1.0F);
    return values;
  }

 private:
  [[nodiscard]] std::int64_t group() const {
    if (kernels::packed_bits(shape_.layout) != 0) return shape_.group;
    switch (shape_.layout) {
      case kernels::Layout::kTable4:
        return shape_.group;
      case kernels::Layout::kQ6_K:
        return 16;
      case kernels::Layout::kAqlm:
        return shape_.in;
      default:
        return 32;
    }
  }
  struct Block {
    std::int64_t inputs, bytes;
  };
  static Block block_of(kernels::Layout layout) {
    switch (layout) {
      case kernels::Layout::kQ4_0:
        return {32, 18};
      case kernels::Layout::kQ4_1:
        return {32, 20};
      case kernels::Layout::kQ5_0:
        return {32, 22};
      case kernels::Layout::kQ5_1:
        return {32, 24};
      case kernels::Layout::kQ4_K:
        return {256, 144};
      case kernels::Layout::kQ5_K:
        return {256, 176};
      case kernels::Layout::kQ6_K:
        return {256, 210};
      default:
        return {32, 34};
    }
  }
  void fill_codebooks() {
    const std::int64_t values = std::int64_t{shape_.books} * 8 << shape_.bits;
    codebooks_.resize(static_cast<std::size_t>(values) * 2 + 1);
    for (std::int64_t i = 0; i < values; ++i) {
      const std::uint16_t half = core::float_to_half(uniform(-1.0F, 1.0F));
      std::memcpy(codebooks_.data() + 1 + i * 2, &half, 2);
    }
  }
  void fill_bytes(std::int64_t count) {
    bytes_.resize(static_cast<std::size_t>(count) + 1);
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random_() & 255U);
  }
  void fill_dense(std::int64_t count) {
    const std::size_t size = shape_.layout == kernels::Layout::kDenseF32 ? 4 : 2;
    bytes_.resize(static_cast<std::size_t>(count) * size + 1);
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = uniform(-1.0F, 1.0F);
      const std::uint16_t half =
          shape_.layout == kernels::Layout::kDenseF16 ? core::float_to_half(value) : core::float_to_bfloat16(value);
      std::byte* target = bytes_.data() + 1 + static_cast<std::size_t>(i) * size;
      std::memcpy(target, size == 4 ? static_cast<const void*>(&value) : &half, size);
    }
  }
  [[nodiscard]] kernels::ScaleView scale_view(const std::vector<float>& scales,
                                              const std::vector<float>& offsets) const {
    return {scales.empty() ? nullptr : scales.data(), kernels::has_offsets(shape_.layout) ? offsets.data() : nullptr};
  }

  WeightShape shape_;
  std::mt19937 random_;
  std::vector<std::byte> bytes_, codebooks_;
  Floats table_;
  std::vector<std::uint8_t> zeros_;
  std::vector<std::int32_t> group_of_;
  std::vector<float> plus_, minus_, plus_offsets_, minus_offsets_;
};

// What needs rows of whole blocks of 256.
inline std::vector<WeightShape> k_quants(std::int64_t out, std::int64_t in) {
  using kernels::Layout;
  return {{Layout::kQ4_K, out, in}, {Layout::kQ5_K, out, in}, {Layout::kQ6_K, out, in}};
}

// Tables with groups of every width that divides `in`, and codebooks of 8 and 12 bits.
inline std::vector<WeightShape> value_layouts(std::int64_t out, std::int64_t in) {
  using kernels::Layout;
  std::vector<WeightShape> shapes = {{Layout::kAqlm, out, in, 0, false, 2, 8},
                                     {Layout::kAqlm, out, in, 0, false, 1, 12}};
  for (const std::int64_t group : {8, 16, 32, 64})
    if (in % group == 0) shapes.push_back({Layout::kTable4, out, in, group});
  return shapes;
}

// The layouts of Hugging Face folders that can have so many outputs and inputs, with groups of 32, 128, one for the
// whole row and, where the inputs may come in any order, shuffled ones.
inline std::vector<WeightShape> packed_layouts(std::int64_t out, std::int64_t in) {
  using enum kernels::Layout;
  std::vector<WeightShape> shapes;
  for (const auto layout : {kGptq2, kGptq3, kGptq8, kAwq4, kRows4, kRows8, kHqq4, kHqq8}) {
    if ((layout == kAwq4 && out % 8 != 0) || (layout == kHqq4 && out % 2 != 0)) continue;
    for (const std::int64_t group : {std::int64_t{32}, std::int64_t{128}, in})
      shapes.push_back({layout, out, in, group});
    if (layout != kAwq4 && !kernels::has_offsets(layout)) shapes.push_back({layout, out, in, 32, true});
  }
  return shapes;
}

// Groups of outputs: fp32 products only.
inline std::vector<WeightShape> output_group_layouts(std::int64_t out, std::int64_t in, std::int64_t group) {
  return {{kernels::Layout::kHqq4Axis0, out, in, group}, {kernels::Layout::kHqq8Axis0, out, in, group}};
}

// Every layout at one size but those of packed_layouts; GPTQ also with a short last group, one group per column, and
// shuffled groups. K-quants where the size allows.
inline std::vector<WeightShape> all_layouts(std::int64_t out, std::int64_t in) {
  using kernels::Layout;
  std::vector<WeightShape> shapes = {{Layout::kDenseF32, out, in},
                                     {Layout::kDenseF16, out, in},
                                     {Layout::kDenseBF16, out, in},
                                     {Layout::kGptq4, out, in, 32},
                                     {Layout::kGptq4, out, in, 128},
                                     {Layout::kGptq4, out, in, in},
                                     {Layout::kGptq4, out, in, 32, true},
                                     {Layout::kQ4_0, out, in},
                                     {Layout::kQ4_1, out, in},
                                     {Layout::kQ8_0, out, in},
                                     {Layout::kQ5_0, out, in},
                                     {Layout::kQ5_1, out, in}};
  const std::vector<WeightShape> values = value_layouts(out, in);
  shapes.insert(shapes.end(), values.begin(), values.end());
  if (in % 256 != 0) return shapes;
  const std::vector<WeightShape> blocks_of_256 = k_quants(out, in);
  shapes.insert(shapes.end(), blocks_of_256.begin(), blocks_of_256.end());
  return shapes;
}

}  // namespace qzo::test
