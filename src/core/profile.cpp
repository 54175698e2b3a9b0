#include "qzo/core/profile.h"

namespace qzo::core {
namespace {

using Clock = std::chrono::steady_clock;

struct Profile {
  bool on = false;
  Part part = Part::kOther;
  Clock::time_point since;
  std::array<double, kParts> seconds{};
  double operations = 0;

  void enter(Part next) {
    const Clock::time_point now = Clock::now();
    seconds[static_cast<std::size_t>(part)] += std::chrono::duration<double>(now - since).count();
    part = next;
    since = now;
  }
};

// One per thread: scopes in worker threads see a profile that is off.
thread_local Profile profile;

}  // namespace

std::string part_name(Part part) {
  static const std::array<const char*, kParts> names = {"matmul", "noise", "attention", "elementwise", "head", "other"};
  return names[static_cast<std::size_t>(part)];
}

void start_profile() {
  profile = {.on = true, .part = Part::kOther, .since = Clock::now(), .seconds = {}, .operations = 0};
}

std::array<double, kParts> stop_profile() {
  profile.enter(Part::kOther);
  profile.on = false;
  return profile.seconds;
}

void count_operations(double operations) {
  if (profile.on) profile.operations += operations;
}

double counted_operations() { return profile.operations; }

ProfileScope::ProfileScope(Part part) : before_(profile.part) {
  if (profile.on) profile.enter(part);
}

ProfileScope::~ProfileScope() {
  if (profile.on) profile.enter(before_);
}

}  // namespace qzo::core
