#pragma once
// Where the time of a step goes: seconds by part, for benchmarks. Off by default (a test of a flag). Scopes stand in
// the thread that calls a parallel operation, so they measure wall time; they may nest, the inner one's time is its
// own.

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

namespace qzo::core {

enum class Part : std::uint8_t { kMatmul, kNoise, kAttention, kElementwise, kHead, kOther };
inline constexpr std::size_t kParts = 6;

std::string part_name(Part part);
void start_profile();  // sets all seconds to 0
std::array<double, kParts> stop_profile();

// Arithmetic of matrix products (a multiply and an add are two), counted while the profile is on.
void count_operations(double operations);
double counted_operations();  // since start_profile

class ProfileScope {
 public:
  explicit ProfileScope(Part part);
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  Part before_;
};

}  // namespace qzo::core
