#pragma once
// What this program and this machine are: for RUN/environment.json and qzo-inspect --machine.

#include <string>
#include <vector>

#include "qzo/core/json_file.h"

namespace qzo::cli {

struct CpuInfo {
  std::string model;               // "model name" of /proc/cpuinfo, or "unknown"
  std::vector<std::string> flags;  // those that the kernels care about
};
CpuInfo cpu_info();

core::Json environment_json(const std::string& precision);
std::string machine_text();

}  // namespace qzo::cli
