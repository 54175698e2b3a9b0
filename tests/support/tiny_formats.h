#pragma once
// The tiny GPTQ model of the tests in the other formats of Hugging Face folders.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "qzo/io/checkpoint.h"
#include "qzo/io/safetensors.h"
#include "qzo/quant/format.h"

#include "support/packed_layer.h"
#include "support/value_layer.h"

namespace qzo::test {

// Whether the weights stay what they are: codes of fewer bits, and scales of other groups, only approximate them.
struct TinyFormat {
  const char* name;
  const char* settings;
  bool same_weights;
  StoredTensors (*tensors)(PackedLayer layer, const std::string& stem);
};

inline PackedLayer with_fewer_bits(PackedLayer layer, unsigned bits) {
  const unsigned lost = layer.bits - bits;
  for (auto* values : {&layer.codes, &layer.zeros})
    for (std::uint8_t& value : *values) value = static_cast<std::uint8_t>(value >> lost);
  for (float& scale : layer.scales) scale *= static_cast<float>(1U << lost);
  layer.bits = bits;
  return layer;
}
inline PackedLayer with_eight_bits(PackedLayer layer) {
  layer.bits = 8;
  return layer;
}

// Groups of four outputs, each from its least weight up in 15 or 255 steps.
inline StoredTensors along_outputs(const PackedLayer& layer, const std::string& stem, unsigned bits) {
  HqqLayer hqq{.out = layer.out, .in = layer.in, .group = 4, .axis = 0, .bits = bits};
  const std::vector<float> weights = layer.expected();
  const std::size_t groups = weights.size() / hqq.group;
  for (std::size_t i = 0; i < groups; ++i) {
    float least = std::numeric_limits<float>::infinity(), most = -least;
    for (std::size_t at = i; at < weights.size(); at += groups) {
      least = std::min(least, weights[at]);
      most = std::max(most, weights[at]);
    }
    const float step = std::max((most - least) / static_cast<float>((1U << bits) - 1), 0x1p-14F);
    hqq.scales.push_back(core::half_to_float(core::float_to_half(step)));
    hqq.zeros.push_back(core::half_to_float(core::float_to_half(-least / hqq.scales.back())));
  }
  for (std::size_t at = 0; at < weights.size(); ++at) {
    const float code = weights[at] / hqq.scales[at % groups] + hqq.zeros[at % groups] + 0.5F;
    hqq.codes.push_back(static_cast<std::uint8_t>(std::clamp(code, 0.0F, static_cast<float>((1U << bits) - 1))));
  }
  return hqq.tensors(stem);
}

inline constexpr TinyFormat kTinyFormats[] = {
    {"gptq2", R"("quant_method": "gptq", "bits": 2, "group_size": 32, "sym": true)", false,
     [](PackedLayer layer, const std::string& stem) { return gptq_tensors(with_fewer_bits(layer, 2), stem, true); }},
    {"gptq3", R"("quant_method": "gptq", "bits": 3, "group_size": 32, "sym": true)", false,
     [](PackedLayer layer, const std::string& stem) { return gptq_tensors(with_fewer_bits(layer, 3), stem, true); }},
    {"gptq8", R"("quant_method": "gptq", "bits": 8, "group_size": 32, "sym": false)", true,
     [](PackedLayer layer, const std::string& stem) { return gptq_tensors(with_eight_bits(layer), stem, true); }},
    {"awq", R"("quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm")", true,
     [](PackedLayer layer, const std::string& stem) { return awq_tensors(layer, stem); }},
    {"ct4",
     R"("quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": {"group_0": {"weights": {"num_bits": 4, "strategy": "group"}}})",
     true, [](PackedLayer layer, const std::string& stem) { return compressed_tensors(layer, stem); }},
    {"ct8",
     R"("quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": {"group_0": {"weights": {"num_bits": 8, "strategy": "group"}}})",
     true, [](PackedLayer layer, const std::string& stem) { return compressed_tensors(with_eight_bits(layer), stem); }},
    {"hqq4", R"("quant_method": "hqq")", true,
     [](PackedLayer layer, const std::string& stem) { return as_hqq(layer).tensors(stem); }},
    {"hqq8", R"("quant_method": "hqq")", true,
     [](PackedLayer layer, const std::string& stem) { return as_hqq(with_eight_bits(layer)).tensors(stem); }},
    {"hqq4_axis0", R"("quant_method": "hqq")", false,
     [](PackedLayer layer, const std::string& stem) { return along_outputs(layer, stem, 4); }},
    {"hqq8_axis0", R"("quant_method": "hqq")", false,
     [](PackedLayer layer, const std::string& stem) { return along_outputs(layer, stem, 8); }},
    {"nf4", R"("quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4")", false,
     [](PackedLayer layer, const std::string& stem) { return nf4_tensors(layer, stem, false); }},
    {"nf4_nested",
     R"("quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": true)",
     false, [](PackedLayer layer, const std::string& stem) { return nf4_tensors(layer, stem, true); }},
    {"aqlm",
     R"("quant_method": "aqlm", "nbits_per_codebook": 8, "num_codebooks": 1, "in_group_size": 8,
        "out_group_size": 1)",
     false, [](PackedLayer layer, const std::string& stem) { return aqlm_tensors(layer, stem); }}};

// A 4-bit GPTQ layer of the tiny model: v1 zero points, 8 throughout.
inline PackedLayer read_gptq_layer(const io::TensorSource& tensors, const std::string& stem) {
  const io::TensorEntry& qweight = *tensors.find(stem + ".qweight");
  const io::TensorEntry& scales = *tensors.find(stem + ".scales");
  PackedLayer layer{.in = static_cast<std::size_t>(qweight.shape[0] * 8),
                    .out = static_cast<std::size_t>(qweight.shape[1]),
                    .group = static_cast<std::size_t>(qweight.shape[0] * 8 / scales.shape[0])};
  layer.scales = io::read_floats(scales);
  layer.zeros.assign(layer.scales.size(), 8);
  for (std::size_t k = 0; k < layer.in; ++k) {
    layer.g_idx.push_back(static_cast<std::int32_t>(k / layer.group));
    for (std::size_t n = 0; n < layer.out; ++n) {
      const std::byte byte = qweight.bytes[(k / 8 * layer.out + n) * 4 + k % 8 / 2];
      layer.codes.push_back(std::to_integer<std::uint8_t>(k % 2 == 0 ? byte & std::byte{15} : byte >> 4));
    }
  }
  return layer;
}

inline const TinyFormat& tiny_format(std::string_view name) {
  return *std::ranges::find_if(kTinyFormats, [name](const TinyFormat& one) { return one.name == name; });
}

// The tiny model of `gptq` with every quantized linear as `tensors(layer, stem)` stores it; config and the rest as they
// are but for `quantization`, null for none.
template <class Tensors>
inline void write_tiny_model(const std::filesystem::path& gptq, const std::filesystem::path& folder,
                             const core::Json& quantization, const Tensors& tensors) {
  const io::Checkpoint source = io::open_checkpoint(gptq);
  std::filesystem::create_directories(folder);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    std::filesystem::copy_file(gptq / file, folder / file);
  core::Json config = source.config;
  config.erase("quantization_config");
  if (!quantization.is_null()) config["quantization_config"] = quantization;
  std::ofstream(folder / "config.json") << config.dump(2);
  constexpr std::string_view kCodes = ".qweight";
  StoredTensors made;
  std::vector<io::TensorToWrite> list;
  for (const io::TensorEntry& entry : source.tensors.entries()) {
    if (entry.name.ends_with(kCodes)) {
      const std::string stem = entry.name.substr(0, entry.name.size() - kCodes.size());
      made.merge(tensors(read_gptq_layer(source.tensors, stem), stem));
    } else if (entry.name.ends_with(".weight")) {
      list.push_back({entry.name, entry.dtype, entry.shape, entry.bytes});
    }
  }
  for (const auto& [stored, tensor] : made)
    list.push_back({stored, tensor.dtype, tensor.shape, std::as_bytes(std::span(tensor.bytes))});
  io::write_safetensors(folder / "model.safetensors", list);
}

// `name` of one of kTinyFormats.
inline void write_tiny_format(std::string_view name, const std::filesystem::path& gptq,
                              const std::filesystem::path& folder) {
  const TinyFormat& format = tiny_format(name);
  write_tiny_model(gptq, folder, core::Json::parse("{" + std::string(format.settings) + "}"), format.tensors);
}

// The same model with plain weights of `dtype`, F32 (exactly what the codes stand for) or F16.
inline void write_tiny_dense(const std::filesystem::path& gptq, const std::filesystem::path& folder,
                             core::Dtype dtype = core::Dtype::kF32) {
  write_tiny_model(gptq, folder, nullptr, [&](const PackedLayer& layer, const std::string& stem) {
    std::string bytes;
    for (const float value : layer.expected())
      bytes += dtype == core::Dtype::kF16 ? bytes_of(core::float_to_half(value)) : bytes_of(value);
    return StoredTensors{{stem + ".weight", {dtype, shape_of(layer.out, layer.in), bytes}}};
  });
}

}  // namespace qzo::test
