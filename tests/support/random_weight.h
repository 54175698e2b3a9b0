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
  std::int64_t group = 32;  // all but GGUF blocks; of outputs in kHqq*Axis0
  bool shuffled_groups = false;
};

inline std::string layout_name(const WeightShape& shape) {
  const char* names[] = {"f32",   "f16",  "bf16", "gptq",       "gptq2",      "gptq3", "gptq8", "awq", "rows4",
                         "rows8", "hqq4", "hqq8", "hqq4_axis0", "hqq8_axis0", "q4_0",  "q4_1",  "q8_0"};
  std::string name = names[static_cast<int>(shape.layout)];
  if (kernels::packed_bits(shape.layout) != 0) name += "_g" + std::to_string(shape.group);
  return shape.shuffled_groups ? name + "_shuffled" : name;
}

class RandomWeight {
 public:
  explicit RandomWeight(const WeightShape& shape, unsigned seed = 1) : shape_(shape), random_(seed) {
    using kernels::Layout;
    const std::int64_t weights = shape.out * shape.in;
    std::int64_t scales = weights / 32;
    if (const int bits = kernels::packed_bits(shape.layout); bits != 0) {
      const std::int64_t groups = (shape.in + shape.group - 1) / shape.group;
      scales = kernels::groups_of_outputs(shape.layout) ? weights / shape.group : groups * shape.out;
      fill_bytes(weights * bits / 8);
      for (std::int64_t i = 0; i < scales; ++i) zeros_.push_back(static_cast<std::uint8_t>(random_() % (1U << bits)));
      if (shape.shuffled_groups)
        for (std::int64_t k = 0; k < shape.in; ++k)
          group_of_.push_back(static_cast<std::int32_t>(random_() % static_cast<unsigned>(groups)));
    } else if (shape.layout == Layout::kQ4_0) {
      fill_bytes(weights / 32 * 18);
    } else if (shape.layout == Layout::kQ4_1) {
      fill_bytes(weights / 32 * 20);
    } else if (shape.layout == Layout::kQ8_0) {
      fill_bytes(weights / 32 * 34);
    } else {
      scales = 0;
      fill_dense(weights);
    }
    for (auto* values : {&plus_, &minus_, &plus_offsets_, &minus_offsets_})
      for (std::int64_t i = 0; i < scales; ++i) values->push_back(uniform(-0.1F, 0.1F));
  }
  RandomWeight(const RandomWeight&) = delete;  // the views point into this object
  RandomWeight& operator=(const RandomWeight&) = delete;

  [[nodiscard]] kernels::CodeView view() const {
    const bool packed = kernels::packed_bits(shape_.layout) != 0;
    const bool dense = shape_.layout <= kernels::Layout::kDenseBF16;
    return {.layout = shape_.layout,
            .out = shape_.out,
            .in = shape_.in,
            .group = packed ? shape_.group : (dense ? 0 : 32),
            .codes = bytes_.data() + 1,  // unaligned on purpose
            .zeros = packed && !kernels::has_offsets(shape_.layout) ? zeros_.data() : nullptr,
            .group_of = group_of_.empty() ? nullptr : group_of_.data()};
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
  std::vector<std::byte> bytes_;
  std::vector<std::uint8_t> zeros_;
  std::vector<std::int32_t> group_of_;
  std::vector<float> plus_, minus_, plus_offsets_, minus_offsets_;
};

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

// Every layout at one size; GPTQ also with a short last group, one group per column, and shuffled groups.
inline std::vector<WeightShape> all_layouts(std::int64_t out, std::int64_t in) {
  using kernels::Layout;
  return {{Layout::kDenseF32, out, in},
          {Layout::kDenseF16, out, in},
          {Layout::kDenseBF16, out, in},
          {Layout::kGptq4, out, in, 32},
          {Layout::kGptq4, out, in, 128},
          {Layout::kGptq4, out, in, in},
          {Layout::kGptq4, out, in, 32, true},
          {Layout::kQ4_0, out, in},
          {Layout::kQ4_1, out, in},
          {Layout::kQ8_0, out, in}};
}

}  // namespace qzo::test
