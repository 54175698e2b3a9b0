#pragma once
// What this process uses and what the machine has, in bytes (Linux: /proc/self/status, /proc/meminfo).

#include <cstdint>

namespace qzo::core {

std::uint64_t resident_bytes();
std::uint64_t peak_resident_bytes();
std::uint64_t available_bytes();  // also respects a cgroup limit

}  // namespace qzo::core
