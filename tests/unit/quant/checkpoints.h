#pragma once
// Small checkpoints made from codes, zeros and scales that the test knows, and what their weights must be.

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "qzo/core/half.h"
#include "qzo/io/checkpoint.h"
#include "qzo/io/safetensors.h"
#include "qzo/kernels/quant_matmul.h"
#include "qzo/quant/format.h"

#include "unit/io/gguf_builder.h"
#include "unit/io/test_files.h"

namespace qzo::quant::testing {

using io::testing::expect_user_error;
using io::testing::little_endian;
using io::testing::read_bytes;
using io::testing::TempFolder;

// Whatever bits, the same on every machine.
class Bits {
 public:
  explicit Bits(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint32_t below(std::uint32_t bound) {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<std::uint32_t>(state_ >> 33) % bound;
  }

 private:
  std::uint64_t state_;
};

inline std::string halves(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += little_endian(core::float_to_half(value));
  return bytes;
}

struct StoredTensor {
  core::Dtype dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};
using StoredTensors = std::map<std::string, StoredTensor>;

inline void write_folder(const std::filesystem::path& folder, const std::string& config, const StoredTensors& tensors) {
  io::testing::write_file(folder / "config.json", config);
  std::vector<io::TensorToWrite> list;
  for (const auto& [name, tensor] : tensors) {
    list.push_back({name, tensor.dtype, tensor.shape, io::testing::as_bytes(tensor.bytes)});
  }
  io::write_safetensors(folder / "model.safetensors", list);
}

// One GPTQ layer "proj" by its true values; sizes differ from each other, so that a transposed reading cannot pass.
struct GptqLayer {
  std::size_t in = 40, out = 24, group = 16;
  std::vector<std::uint8_t> codes;  // [in, out]
  std::vector<std::uint8_t> zeros;  // [groups, out], true
  std::vector<float> scales;        // [groups, out], exact in half
  std::vector<std::int32_t> g_idx;  // [in]
  bool v1 = true;
  std::string settings = R"("quant_method": "gptq", "bits": 4, "group_size": 16, "sym": false)";

  explicit GptqLayer(std::size_t inputs = 40, std::size_t group_size = 16, std::size_t outputs = 24,
                     std::uint64_t seed = 7)
      : in(inputs), out(outputs), group(group_size) {
    Bits bits(seed);
    for (std::size_t i = 0; i < in * out; ++i) codes.push_back(static_cast<std::uint8_t>(bits.below(16)));
    for (std::size_t i = 0; i < groups() * out; ++i) {
      zeros.push_back(static_cast<std::uint8_t>(1 + bits.below(15)));
      scales.push_back(static_cast<float>(1 + bits.below(500)) / 1024.0F);
    }
    for (std::size_t k = 0; k < in; ++k) g_idx.push_back(static_cast<std::int32_t>(k / group));
  }
  std::size_t groups() const { return (in + group - 1) / group; }

  StoredTensors tensors() const {
    std::string qweight, qzeros, index;
    for (std::size_t row = 0; row < in / 8; ++row) {
      for (std::size_t n = 0; n < out; ++n) {
        std::uint32_t word = 0;
        for (std::size_t j = 0; j < 8; ++j) word |= std::uint32_t{codes[(row * 8 + j) * out + n]} << (4 * j);
        qweight += little_endian(word);
      }
    }
    for (std::size_t c = 0; c < groups() * out / 8; ++c) {
      std::uint32_t word = 0;
      for (std::size_t j = 0; j < 8; ++j) word |= stored_zero(zeros[c * 8 + j]) << (4 * j);
      qzeros += little_endian(word);
    }
    for (const std::int32_t value : g_idx) index += little_endian(value);
    return {{"proj.qweight", {core::Dtype::kI32, shape(in / 8, out), qweight}},
            {"proj.qzeros", {core::Dtype::kI32, shape(groups(), out / 8), qzeros}},
            {"proj.scales", {core::Dtype::kF16, shape(groups(), out), halves(scales)}},
            {"proj.g_idx", {core::Dtype::kI32, {static_cast<std::int64_t>(in)}, index}}};
  }
  std::string config() const { return "{\"quantization_config\": {" + settings + "}}"; }
  WeightRequest request() const { return {"proj", static_cast<std::int64_t>(out), static_cast<std::int64_t>(in)}; }
  io::Checkpoint write(const std::filesystem::path& folder) const {
    write_folder(folder, config(), tensors());
    return io::open_checkpoint(folder);
  }
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

 private:
  static std::vector<std::int64_t> shape(std::size_t rows, std::size_t columns) {
    return {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)};
  }
  unsigned stored_zero(std::uint8_t zero) const { return v1 ? (zero + 15U) & 15U : zero; }
};

inline std::vector<float> dequantized(const PackedWeight& weight, const kernels::ScaleView& view) {
  std::vector<float> values(static_cast<std::size_t>(weight.codes.out * weight.codes.in));
  kernels::dequantize_rows(weight.codes, view, 0, weight.codes.out, values.data());
  return values;
}
inline std::vector<float> dequantized(const PackedWeight& weight, const ScaleMode& mode = {}) {
  ScaleBuffers buffers;
  return dequantized(weight, effective_scales(weight, mode, buffers).plus);
}

// A GGUF tensor "proj.weight" [out, in] of blocks with these d (and m), codes drawn at random.
struct BlockLayer {
  core::Dtype dtype = core::Dtype::kQ4_1;
  std::size_t out = 3, in = 64;
  std::vector<float> d, m;  // one per block
  std::vector<int> codes;   // [out, in]: what d is multiplied with

  explicit BlockLayer(core::Dtype type) : dtype(type) {
    Bits bits(static_cast<std::uint64_t>(type));
    for (std::size_t i = 0; i < out * in; ++i) {
      const std::uint32_t values = type == core::Dtype::kQ8_0 ? 256 : has_fifth_bits() ? 32 : 16;
      codes.push_back(static_cast<int>(bits.below(values)) - zero());
    }
    for (std::size_t block = 0; block < blocks(); ++block) {
      d.push_back(static_cast<float>(static_cast<int>(bits.below(2000)) - 1000) / 4096.0F + 0.5F / 4096.0F);
      m.push_back(static_cast<float>(static_cast<int>(bits.below(2000)) - 1000) / 1024.0F);
    }
  }
  std::size_t blocks() const { return out * in / 32; }
  bool has_minimum() const { return dtype == core::Dtype::kQ4_1 || dtype == core::Dtype::kQ5_1; }
  bool has_fifth_bits() const { return dtype == core::Dtype::kQ5_0 || dtype == core::Dtype::kQ5_1; }
  // What is stored for 0.
  int zero() const {
    if (dtype == core::Dtype::kQ8_0) return 128;  // of a byte without sign
    return has_minimum() ? 0 : has_fifth_bits() ? 16 : 8;
  }
  std::string data() const {
    std::string bytes;
    for (std::size_t block = 0; block < blocks(); ++block) {
      bytes += little_endian(core::float_to_half(d[block]));
      if (has_minimum()) bytes += little_endian(core::float_to_half(m[block]));
      const int* code = codes.data() + block * 32;
      if (dtype == core::Dtype::kQ8_0) {
        for (int i = 0; i < 32; ++i) bytes += static_cast<char>(code[i]);
        continue;
      }
      const auto stored = [&](int i) { return static_cast<unsigned>(code[i] + zero()); };
      std::uint32_t fifth = 0;
      for (int i = 0; i < 32; ++i) fifth |= (stored(i) >> 4) << i;
      if (has_fifth_bits()) bytes += little_endian(fifth);
      for (int i = 0; i < 16; ++i) bytes += static_cast<char>((stored(i) & 15U) | (stored(i + 16) & 15U) << 4);
    }
    return bytes;
  }
  io::Checkpoint write(const std::filesystem::path& file) const {
    const std::map<core::Dtype, std::uint32_t> ids = {{core::Dtype::kQ4_0, 2},
                                                      {core::Dtype::kQ4_1, 3},
                                                      {core::Dtype::kQ5_0, 6},
                                                      {core::Dtype::kQ5_1, 7},
                                                      {core::Dtype::kQ8_0, 8}};
    io::testing::GgufBuilder builder;
    builder.tensor("proj.weight", {in, out}, ids.at(dtype), 0);
    builder.data = data();
    io::testing::write_file(file, builder.bytes());
    return io::open_checkpoint(file);
  }
  WeightRequest request() const { return {"proj", static_cast<std::int64_t>(out), static_cast<std::int64_t>(in)}; }
};

// z = 1 + element / 8 for every tensor: easy to predict.
class RampNoise final : public kernels::Noise {
 public:
  void fill(std::uint32_t, std::int64_t first, std::span<float> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = 1.0F + static_cast<float>(first + static_cast<std::int64_t>(i)) / 8.0F;
  }
};

}  // namespace qzo::quant::testing
