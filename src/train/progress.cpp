#include "train/progress.h"

namespace qzo::train {
namespace {

constexpr double kKeep = 0.95;

double quotient(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

void Progress::step(double seconds, std::uint64_t tokens) {
  weight_ = kKeep * weight_ + 1;
  seconds_ = kKeep * seconds_ + seconds;
  tokens_ = kKeep * tokens_ + static_cast<double>(tokens);
}

double Progress::steps_per_second() const { return quotient(weight_, seconds_); }
double Progress::tokens_per_second() const { return quotient(tokens_, seconds_); }

double Progress::seconds_left(std::uint64_t steps, std::uint64_t evaluations) const {
  return static_cast<double>(steps) * quotient(seconds_, weight_) +
         static_cast<double>(evaluations) * evaluation_seconds_;
}

}  // namespace qzo::train
