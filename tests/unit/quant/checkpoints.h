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

#include "support/packed_layer.h"
#include "unit/io/gguf_builder.h"
#include "unit/io/test_files.h"

namespace qzo::quant::testing {

using io::testing::expect_user_error;
using io::testing::little_endian;
using io::testing::read_bytes;
using io::testing::TempFolder;
using test::halves;
using test::StoredTensor;
using test::StoredTensors;

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

inline void write_folder(const std::filesystem::path& folder, const std::string& config, const StoredTensors& tensors) {
  io::testing::write_file(folder / "config.json", config);
  std::vector<io::TensorToWrite> list;
  for (const auto& [name, tensor] : tensors) {
    list.push_back({name, tensor.dtype, tensor.shape, io::testing::as_bytes(tensor.bytes)});
  }
  io::write_safetensors(folder / "model.safetensors", list);
}

// Codes, zero points and scales drawn at random; g_idx in order.
inline test::PackedLayer random_layer(std::size_t in, std::size_t group, std::size_t out, unsigned bits,
                                      std::uint64_t seed) {
  test::PackedLayer layer{.in = in, .out = out, .group = group, .bits = bits};
  Bits random(seed);
  const std::uint32_t values = 1U << bits;
  for (std::size_t i = 0; i < in * out; ++i) layer.codes.push_back(static_cast<std::uint8_t>(random.below(values)));
  for (std::size_t i = 0; i < layer.groups() * out; ++i) {
    layer.zeros.push_back(static_cast<std::uint8_t>(1 + random.below(values - 1)));
    layer.scales.push_back(static_cast<float>(1 + random.below(500)) / 1024.0F);
  }
  for (std::size_t k = 0; k < in; ++k) layer.g_idx.push_back(static_cast<std::int32_t>(k / group));
  return layer;
}

inline WeightRequest request_of(std::size_t out, std::size_t in) {
  return {"proj", static_cast<std::int64_t>(out), static_cast<std::int64_t>(in)};
}
inline std::string config_of(const std::string& settings) { return "{\"quantization_config\": {" + settings + "}}"; }

// One GPTQ layer "proj" by its true values; sizes differ from each other, so that a transposed reading cannot pass.
struct GptqLayer : test::PackedLayer {
  bool v1 = true;
  std::string settings = R"("quant_method": "gptq", "bits": 4, "group_size": 16, "sym": false)";

  explicit GptqLayer(std::size_t inputs = 40, std::size_t group_size = 16, std::size_t outputs = 24,
                     std::uint64_t seed = 7, unsigned code_bits = 4)
      : PackedLayer(random_layer(inputs, group_size, outputs, code_bits, seed)) {}

  StoredTensors tensors() const { return test::gptq_tensors(*this, "proj", v1); }
  std::string config() const { return config_of(settings); }
  WeightRequest request() const { return request_of(out, in); }
  io::Checkpoint write(const std::filesystem::path& folder) const {
    write_folder(folder, config(), tensors());
    return io::open_checkpoint(folder);
  }
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
