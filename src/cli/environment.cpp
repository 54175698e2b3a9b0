#include "qzo/cli/environment.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <torch/version.h>
#include <unistd.h>

#include "qzo/core/build_info.h"
#include "qzo/core/memory.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/kernels/cpu_features.h"

namespace qzo::cli {
namespace {

std::string after_colon(const std::string& line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos) return "";
  const std::size_t first = line.find_first_not_of(" \t", colon + 1);
  return first == std::string::npos ? "" : line.substr(first);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out.empty() ? "none" : out;
}

std::vector<std::string> supported_variants() {
  std::vector<std::string> out;
  for (const kernels::Isa isa : kernels::kAllIsas) {
    if (kernels::isa_supported(isa)) out.push_back(kernels::isa_name(isa));
  }
  return out;
}

}  // namespace

CpuInfo cpu_info() {
  static const std::vector<std::string> interesting = {"avx2",     "fma",         "f16c",        "avx512f",
                                                       "avx512bw", "avx512_vnni", "avx512_bf16", "amx_bf16"};
  CpuInfo out{"unknown", {}};
  std::ifstream file("/proc/cpuinfo");
  // The first processor speaks for all; an empty line ends it.
  for (std::string line; std::getline(file, line) && !line.empty();) {
    if (line.starts_with("model name")) out.model = after_colon(line);
    if (!line.starts_with("flags")) continue;
    std::istringstream flags(after_colon(line));
    for (std::string flag; flags >> flag;) {
      if (std::find(interesting.begin(), interesting.end(), flag) != interesting.end()) out.flags.push_back(flag);
    }
  }
  return out;
}

core::Json environment_json(const std::string& precision) {
  const CpuInfo cpu = cpu_info();
  return {{"version", core::version()},
          {"commit", core::commit()},
          {"build", core::build_text()},
          {"libtorch", TORCH_VERSION},
          {"cpu", cpu.model},
          {"cpu_flags", cpu.flags},
          {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
          {"threads", core::thread_count()},
          {"isa", kernels::isa_name(kernels::active_isa())},
          {"precision", precision},
          {"available_bytes", core::available_bytes()}};
}

std::string machine_text() {
  const CpuInfo cpu = cpu_info();
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
  std::string out = core::text("program          ", core::build_text(), "\n");
  out += core::text("LibTorch         ", TORCH_VERSION, "\n");
  out += core::text("CPU              ", cpu.model, ", ", sysconf(_SC_NPROCESSORS_ONLN), " processors\n");
  out += core::text("CPU features     ", joined(cpu.flags), "\n");
  out += core::text("kernel variants  ", joined(supported_variants()),
                    "; in use: ", kernels::isa_name(kernels::active_isa()), "\n");
  out += core::text("threads          ", core::thread_count(), "\n");
  out += core::text("memory           ", core::human_bytes(pages * page), ", available ",
                    core::human_bytes(core::available_bytes()), "\n");
  return out;
}

}  // namespace qzo::cli
