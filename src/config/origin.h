#pragma once
// Where a value came from, as text in RUN/config.json and in the listing of --dry-run.

#include <filesystem>
#include <string>

#include "qzo/config/run_config.h"

namespace qzo::config {

struct Origin {
  Source source = Source::kDefault;
  std::filesystem::path file;  // kFile only
  int line = 0;                // kFile only; 0 = unknown
};

std::string origin_text(const LoadedConfig& config, const std::string& key);  // "recipe.json:14"
Origin origin_from_text(const std::string& text);

}  // namespace qzo::config
