#pragma once
// The tiny GPTQ model of the tests as a dense folder, its weights dequantized to fp16 or fp32.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "qzo/core/json_file.h"
#include "qzo/io/safetensors.h"
#include "qzo/models/causal_lm.h"
#include "qzo/nn/frozen_weight.h"
#include "qzo/ops/linear.h"

namespace qzo::tests {

inline void write_dense_tiny(const std::filesystem::path& tiny, const std::filesystem::path& to) {
  namespace fs = std::filesystem;
  const io::Checkpoint source = io::open_checkpoint(tiny / "gptq");
  const auto model = models::load_causal_lm(source);
  fs::create_directories(to);
  std::vector<at::Tensor> values;  // alive until they are written
  std::vector<io::TensorToWrite> tensors;
  for (quant::PackedWeight* weight : model->weights()) {
    const nn::FrozenWeight frozen(*weight);
    std::vector<std::int32_t> rows(static_cast<std::size_t>(frozen.rows()));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int32_t>(i);
    values.push_back(ops::dequantized_rows(frozen.codes(), frozen.scales(), rows).clone());
    tensors.push_back({weight->name + ".weight",
                       core::Dtype::kF32,
                       values.back().sizes().vec(),
                       {static_cast<const std::byte*>(values.back().const_data_ptr()), values.back().nbytes()}});
  }
  for (const io::TensorEntry& entry : source.tensors.entries()) {
    if (entry.name.find("norm") != std::string::npos)
      tensors.push_back({entry.name, entry.dtype, entry.shape, entry.bytes});
  }
  io::write_safetensors(to / "model.safetensors", tensors);
  core::Json config = source.config;
  config.erase("quantization_config");
  std::ofstream(to / "config.json") << config.dump(2);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) fs::copy_file(tiny / "gptq" / file, to / file);
}

}  // namespace qzo::tests
