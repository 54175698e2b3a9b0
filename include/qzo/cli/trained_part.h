#pragma once
// What a run trained, as far as replaying it needs to know: the text file beside a trajectory. No paths.

#include <filesystem>
#include <string>
#include <vector>

#include "qzo/config/run_config.h"

namespace qzo::cli {

struct TrainedPart {
  std::vector<std::string> include, exclude;
  std::string minimum;            // tied | fixed
  std::string gptq_zero_version;  // auto | v1 | v2
};

TrainedPart trained_part(const config::RunConfig& config);

// "run.qzo" -> "run.qzo.json"
std::filesystem::path sidecar_path(const std::filesystem::path& trajectory);
void write_sidecar(const std::filesystem::path& trajectory, const TrainedPart& part);
// UserError if it is absent or damaged.
TrainedPart read_sidecar(const std::filesystem::path& trajectory);

}  // namespace qzo::cli
