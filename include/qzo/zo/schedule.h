#pragma once
// Learning rate as a pure function of the step.

#include <cstdint>
#include <string>

namespace qzo::zo {

enum class Schedule { kConstant, kLinear, kCosine };

// Warm-up rises linearly over `warmup` steps; then constant, or falling to 0 at `steps`.
double learning_rate(Schedule schedule, double peak, std::uint64_t warmup, std::uint64_t steps, std::uint64_t step);

}  // namespace qzo::zo
