#pragma once
// SIGINT and SIGTERM ask the run to stop after the step, SIGUSR1 to save a checkpoint and go on. The second stop signal
// ends the process at once with 128 + its number. The handlers that stood before come back in the destructor.

#include <array>
#include <csignal>

namespace qzo::train {

class StopSignal {
 public:
  // One at a time: InternalError if another lives.
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // SIGINT, SIGTERM, or 0.
  [[nodiscard]] int stop_requested() const;
  // True once for any number of SIGUSR1 since the last call.
  [[nodiscard]] bool take_checkpoint_request() const;

 private:
  std::array<struct sigaction, 3> before_{};
};

}  // namespace qzo::train
