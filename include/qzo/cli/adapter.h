#pragma once
// LoRA adapters on disk, in PEFT's layout: adapter_config.json and adapter_model.safetensors, names and rows as in the
// Hugging Face model, whatever format the base has.

#include <cstdint>
#include <filesystem>

#include "qzo/cli/assemble.h"

namespace qzo::cli {

struct AdapterDescription {
  std::filesystem::path base;  // base_model_name_or_path
  std::int64_t rank = 8;
  double alpha = 16;
};

bool is_adapter(const std::filesystem::path& folder);

// Writes both files into `destination`, each atomically, the configuration last.
void export_adapter(models::TrainableLm& adapters, const AdapterDescription& description,
                    const std::filesystem::path& destination);

// The base that adapter_config.json names, with the adapter on it. UserError naming file and key or tensor for what is
// not built (DoRA, rank patterns, biases, ...) or does not fit the base.
LoadedModel load_with_adapter(const std::filesystem::path& folder, const quant::LoadOptions& options);

}  // namespace qzo::cli
