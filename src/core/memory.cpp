#include "qzo/core/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

namespace qzo::core {

namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// The number behind the word `key` at the start of a line; 0 if there is no such line.
std::uint64_t number_after(const std::filesystem::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    std::uint64_t number = 0;
    if (words >> word >> number && word == key) return number;
  }
  return 0;
}

std::uint64_t kilobytes_after(const char* file, const char* key) { return number_after(file, key) * 1024; }

// A number alone in a file; nothing if it says "max" or is not there.
std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  return in >> value ? std::optional(value) : std::nullopt;
}

// The same four things in both versions of the control groups.
struct GroupNames {
  const char* limit;
  const char* used;
  const char* inactive_cache;  // in memory.stat, groups below included
  const char* active_cache;
};
constexpr GroupNames kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                                  "total_active_file"};
constexpr GroupNames kVersion2 = {"memory.max", "memory.current", "inactive_file", "active_file"};

std::uint64_t room_in_group(const std::filesystem::path& group, const GroupNames& names) {
  const std::optional<std::uint64_t> limit = number_in(group / names.limit);
  if (!limit) return kNoLimit;
  const std::uint64_t used = number_in(group / names.used).value_or(0);
  const std::filesystem::path statistics = group / "memory.stat";
  // Cached files are counted as used but given back when memory is wanted; a mapped model would count twice otherwise.
  const std::uint64_t cache =
      number_after(statistics, names.inactive_cache) + number_after(statistics, names.active_cache);
  const std::uint64_t held = used - std::min(cache, used);
  return *limit - std::min(held, *limit);
}

// A limit of any group above holds too.
std::uint64_t room_up_to(const std::filesystem::path& mount, const std::string& member, const GroupNames& names) {
  std::uint64_t room = room_in_group(mount, names);
  std::filesystem::path group = mount;
  for (const std::filesystem::path& part : std::filesystem::path(member).relative_path()) {
    group /= part;
    room = std::min(room, room_in_group(group, names));
  }
  return room;
}

}  // namespace

std::uint64_t resident_bytes() { return kilobytes_after("/proc/self/status", "VmRSS:"); }
std::uint64_t peak_resident_bytes() { return kilobytes_after("/proc/self/status", "VmHWM:"); }

std::uint64_t cgroup_room(const std::filesystem::path& membership, const std::filesystem::path& mount) {
  std::uint64_t room = kNoLimit;
  std::ifstream in(membership);
  // Lines "hierarchy:controllers:group"; version 2 has no controllers, and stands in unified/ beside version 1.
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string member = line.substr(second + 1);
    if (controllers == ",,") {
      room = std::min({room, room_up_to(mount, member, kVersion2), room_up_to(mount / "unified", member, kVersion2)});
    } else if (controllers.find(",memory,") != std::string::npos) {
      room = std::min(room, room_up_to(mount / "memory", member, kVersion1));
    }
  }
  return room;
}

std::uint64_t available_bytes() {
  return std::min(kilobytes_after("/proc/meminfo", "MemAvailable:"),
                  cgroup_room("/proc/self/cgroup", "/sys/fs/cgroup"));
}

}  // namespace qzo::core
