#pragma once
// The tiny GPTQ model in other formats of Hugging Face folders, so that the programs meet them with a tokenizer and a
// task. Nothing is tuned: absmax blocks, and codebooks that are blocks of the matrix itself.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "qzo/core/fs.h"
#include "qzo/core/half.h"
#include "qzo/core/json_file.h"
#include "qzo/io/safetensors.h"
#include "qzo/kernels/quant_matmul.h"
#include "qzo/quant/format.h"

namespace qzo::tests {

class Repacked {
 public:
  // format: "nf4", "nf4_nested" or "aqlm".
  Repacked(const std::filesystem::path& from, const std::filesystem::path& to, std::string format)
      : format_(std::move(format)), source_(io::open_checkpoint(from)) {
    for (const io::TensorEntry& entry : source_.tensors.entries()) {
      if (entry.name.ends_with(".qweight")) {
        repack(entry.name.substr(0, entry.name.rfind('.')), entry.shape[1], entry.shape[0] * 8);
      } else if (!is_part_of_gptq(entry.name)) {
        tensors_.push_back({entry.name, entry.dtype, entry.shape, entry.bytes});
      }
    }
    std::filesystem::create_directories(to);
    for (const std::filesystem::path& file : source_.files)
      if (file.extension() == ".json") std::filesystem::copy_file(from / file, to / file);
    std::filesystem::permissions(to / "config.json", std::filesystem::perms::owner_all);
    core::Json config = source_.config;
    config["quantization_config"] = settings();
    core::write_file_atomically(to / "config.json", config.dump(2));
    io::write_safetensors(to / "model.safetensors", tensors_);
  }

 private:
  using Bytes = std::vector<std::byte>;

  static bool is_part_of_gptq(const std::string& name) {
    return name.ends_with(".qzeros") || name.ends_with(".scales") || name.ends_with(".g_idx");
  }
  core::Json settings() const {
    if (format_ != "aqlm")
      return {{"quant_method", "bitsandbytes"},
              {"load_in_4bit", true},
              {"bnb_4bit_quant_type", "nf4"},
              {"bnb_4bit_use_double_quant", format_ == "nf4_nested"}};
    return {{"quant_method", "aqlm"},
            {"nbits_per_codebook", 8},
            {"num_codebooks", 1},
            {"in_group_size", 8},
            {"out_group_size", 1}};
  }

  template <class T>
  void store(const std::string& name, core::Dtype dtype, std::vector<std::int64_t> shape,
             const std::vector<T>& values) {
    Bytes& bytes = memory_.emplace_back(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    tensors_.push_back({name, dtype, std::move(shape), bytes});
  }

  void repack(const std::string& stem, std::int64_t out, std::int64_t in) {
    const quant::PackedWeight weight = quant::load_weight(source_, {.name = stem, .out = out, .in = in}, {});
    quant::ScaleBuffers buffers;
    std::vector<float> values(static_cast<std::size_t>(out * in));
    kernels::dequantize_rows(weight.codes, quant::effective_scales(weight, {}, buffers).plus, 0, out, values.data());
    if (format_ == "aqlm") {
      store_aqlm(stem, out, in, values);
    } else {
      store_nf4(stem + ".weight", out, in, values);
    }
  }

  void store_nf4(const std::string& name, std::int64_t out, std::int64_t in, const std::vector<float>& values) {
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
    if (format_ == "nf4_nested") {
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
    core::Json state = {{"quant_type", "nf4"}, {"blocksize", kBlock}, {"dtype", "float16"}, {"shape", {out, in}}};
    const auto count = static_cast<std::int64_t>(blocks);
    if (format_ == "nf4_nested") {
      std::vector<float> ramp(256);
      for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i) / 255.0F;
      state["nested_blocksize"] = 65536;
      state["nested_dtype"] = "float32";
      state["nested_offset"] = 0.0;
      store(name + ".absmax", core::Dtype::kU8, {count}, absmax_codes);
      store(name + ".nested_absmax", core::Dtype::kF32, {1}, std::vector{largest});
      store(name + ".nested_quant_map", core::Dtype::kF32, {256}, ramp);
    } else {
      store(name + ".absmax", core::Dtype::kF32, {count}, absmax);
    }
    const std::string text = state.dump();
    store(name, core::Dtype::kU8, {static_cast<std::int64_t>(codes.size()), 1}, codes);
    store(name + ".quant_map", core::Dtype::kF32, {16}, table);
    store(name + ".quant_state.bitsandbytes__nf4", core::Dtype::kU8, {static_cast<std::int64_t>(text.size())},
          std::vector<char>(text.begin(), text.end()));
  }

  void store_aqlm(const std::string& stem, std::int64_t out, std::int64_t in, std::vector<float> values) {
    constexpr std::size_t kVector = 8, kVectors = 256;
    const auto width = static_cast<std::size_t>(in);
    std::vector<std::uint16_t> scales, book(kVectors * kVector);
    for (std::size_t n = 0; n < static_cast<std::size_t>(out); ++n) {
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
    store(stem + ".codes", core::Dtype::kI8, {out, in / 8, 1}, codes);
    store(stem + ".codebooks", core::Dtype::kF16, {1, 256, 1, 8}, book);
    store(stem + ".scales", core::Dtype::kF16, {out, 1, 1, 1}, scales);
  }

  std::string format_;
  io::Checkpoint source_;
  std::deque<Bytes> memory_;
  std::vector<io::TensorToWrite> tensors_;
};

}  // namespace qzo::tests
