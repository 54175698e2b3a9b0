#pragma once
// What this process uses and what the machine has, in bytes (Linux: /proc/self/status, /proc/meminfo).

#include <cstdint>
#include <filesystem>

namespace qzo::core {

std::uint64_t resident_bytes();
std::uint64_t peak_resident_bytes();
// Without paging anything out; respects the limits of control groups.
std::uint64_t available_bytes();

// What the control groups of a process still allow it, cached files not counted; 2^64 - 1 without a limit. `membership`
// is in the form of /proc/self/cgroup, `mount` stands for /sys/fs/cgroup.
std::uint64_t cgroup_room(const std::filesystem::path& membership, const std::filesystem::path& mount);

}  // namespace qzo::core
