#pragma once
#include <filesystem>
#include <string>

#include "qzo/core/json_file.h"

namespace qzo::io {

struct QuantizationSettings {
  core::Json values;  // null if the folder states none
  std::string file;   // the file whose values win
};

// From quantize_config.json, quant_config.json and `config` (config.json) under "quantization_config": keys of an
// earlier file win, later files add what it leaves out. UserError naming both files if they disagree on method, bits or
// group size.
QuantizationSettings read_quantization_settings(const std::filesystem::path& folder, const core::Json& config);

}  // namespace qzo::io
