#include "qzo/core/memory.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace qzo::core {

namespace {

// "VmHWM:    1234 kB" -> bytes; 0 if the line is not there.
std::uint64_t kilobyte_line(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) != 0) continue;
    std::istringstream rest(line.substr(key.size()));
    std::uint64_t kilobytes = 0;
    rest >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

// A number alone in a file ("max" or absent: no limit).
std::uint64_t number_in(const char* file, std::uint64_t otherwise) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  return in >> value ? value : otherwise;
}

}  // namespace

std::uint64_t resident_bytes() { return kilobyte_line("/proc/self/status", "VmRSS:"); }
std::uint64_t peak_resident_bytes() { return kilobyte_line("/proc/self/status", "VmHWM:"); }

std::uint64_t available_bytes() {
  const std::uint64_t machine = kilobyte_line("/proc/meminfo", "MemAvailable:");
  constexpr std::uint64_t kNoLimit = ~0ull;
  for (const auto& [limit_file, used_file] :
       {std::pair{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        std::pair{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}}) {
    const std::uint64_t limit = number_in(limit_file, kNoLimit);
    if (limit == kNoLimit) continue;
    const std::uint64_t used = number_in(used_file, 0);
    return std::min(machine, limit > used ? limit - used : 0);
  }
  return machine;
}

}  // namespace qzo::core
