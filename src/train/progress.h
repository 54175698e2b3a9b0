#pragma once
// How fast a run is and how long it still takes: smoothed over about the last twenty steps of this process.

#include <cstdint>

namespace qzo::train {

class Progress {
 public:
  void step(double seconds, std::uint64_t tokens);
  void evaluation(double seconds) { evaluation_seconds_ = seconds; }

  // 0 before the first step.
  [[nodiscard]] double steps_per_second() const;
  [[nodiscard]] double tokens_per_second() const;
  [[nodiscard]] double seconds_left(std::uint64_t steps, std::uint64_t evaluations) const;

 private:
  // Exponentially weighted sums; their quotients need no correction for the short beginning.
  double weight_ = 0, seconds_ = 0, tokens_ = 0;
  double evaluation_seconds_ = 0;
};

}  // namespace qzo::train
