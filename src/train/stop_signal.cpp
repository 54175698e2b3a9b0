#include "train/stop_signal.h"

#include <atomic>

#include <unistd.h>

#include "qzo/core/check.h"

namespace qzo::train {
namespace {

constexpr std::array kHandled = {SIGINT, SIGTERM, SIGUSR1};

// A handler can only reach globals, and only lock-free ones.
std::atomic<int> stop{0};
std::atomic<bool> checkpoint{false};
std::atomic<bool> installed{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void handle(int signal) {
  if (signal == SIGUSR1) {
    checkpoint.store(true);
  } else if (stop.exchange(signal) != 0) {
    ::_exit(128 + signal);
  }
}

}  // namespace

StopSignal::StopSignal() {
  QZO_CHECK(!installed.exchange(true), "two training loops in one process");
  stop.store(0);
  checkpoint.store(false);
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;  // a signal must not break a write to the journal in two
  ::sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kHandled.size(); ++i) ::sigaction(kHandled[i], &action, &before_[i]);
}

StopSignal::~StopSignal() {
  for (std::size_t i = 0; i < kHandled.size(); ++i) ::sigaction(kHandled[i], &before_[i], nullptr);
  installed.store(false);
}

int StopSignal::stop_requested() const { return stop.load(); }
bool StopSignal::take_checkpoint_request() const { return checkpoint.exchange(false); }

}  // namespace qzo::train
