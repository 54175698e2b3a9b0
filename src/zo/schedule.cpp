#include "qzo/zo/schedule.h"

#include <cmath>
#include <numbers>

namespace qzo::zo {

double learning_rate(Schedule schedule, double peak, std::uint64_t warmup, std::uint64_t steps, std::uint64_t step) {
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
  if (schedule == Schedule::kConstant || steps <= warmup) return peak;
  const double share = static_cast<double>(step - warmup) / static_cast<double>(steps - warmup);
  if (share >= 1) return 0;
  return schedule == Schedule::kLinear ? peak * (1 - share) : peak * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace qzo::zo
