#include "qzo/core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <sched.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"

namespace qzo::core {

namespace {

thread_local int current_worker = -1;  // >= 0 inside a body

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(CPU_COUNT(&set), 1);
}

constexpr int kSpins = 4000;  // some tens of microseconds

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class Pool {
 public:
  Pool(int threads, const std::function<void()>& hook) {
    try {
      for (int worker = 1; worker < threads; ++worker) {
        workers_.emplace_back([this, worker, hook] {
          if (hook) hook();
          serve(worker);
        });
      }
    } catch (const std::system_error& error) {
      stop();
      throw EnvironmentError(text("cannot start ", threads, " threads: ", error.code().message(), "; use fewer"));
    }
  }
  ~Pool() { stop(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run(std::int64_t pieces, const PieceBody& body) {
    pieces_ = pieces;
    body_ = &body;
    error_ = nullptr;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    {
      const std::lock_guard lock(mutex_);
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    work(0);
    // A worker that has lost its processor to another program comes back sooner if this one lets go.
    for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin) {
      if (spin < kSpins) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      ++generation_;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void work(int worker) {
    current_worker = worker;
    for (;;) {
      const std::int64_t piece = next_.fetch_add(1, std::memory_order_relaxed);
      if (piece >= pieces_) break;
      try {
        (*body_)(piece, worker);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        next_.store(pieces_, std::memory_order_relaxed);
      }
    }
    current_worker = -1;
  }

  void serve(int worker) {
    std::uint64_t seen = 0;
    for (;;) {
      // A training step is hundreds of short loops: spin for a while before sleeping.
      for (int spin = 0; spin < kSpins && generation_.load(std::memory_order_acquire) == seen; ++spin) relax();
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
        seen = generation_.load(std::memory_order_acquire);
        if (stopping_) return;
      }
      work(worker);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::int64_t> next_{0};
  std::atomic<int> busy_{0};
  std::int64_t pieces_ = 0;
  const PieceBody* body_ = nullptr;
  std::exception_ptr error_;
  bool stopping_ = false;
};

struct State {
  std::mutex mutex;  // one parallel_for at a time
  int threads = usable_processors();
  std::function<void()> hook;
  std::unique_ptr<Pool> pool;
};

State& state() {
  static State instance;
  return instance;
}

}  // namespace

void set_thread_count(int threads) {
  QZO_CHECK(current_worker < 0, "set_thread_count inside a parallel loop");
  const std::lock_guard lock(state().mutex);
  state().threads = threads <= 0 ? usable_processors() : threads;
  state().pool.reset();
}

int thread_count() { return state().threads; }

void set_thread_start_hook(std::function<void()> hook) {
  const std::lock_guard lock(state().mutex);
  state().hook = std::move(hook);
  state().pool.reset();
  if (state().hook) state().hook();
}

void parallel_for(std::int64_t pieces, PieceBody body) {
  if (pieces <= 0) return;
  if (current_worker >= 0) {
    for (std::int64_t piece = 0; piece < pieces; ++piece) body(piece, current_worker);
    return;
  }
  const std::lock_guard lock(state().mutex);
  if (state().threads == 1 || pieces == 1) {
    struct Inside {
      Inside() { current_worker = 0; }
      ~Inside() { current_worker = -1; }
    } const inside;
    for (std::int64_t piece = 0; piece < pieces; ++piece) body(piece, 0);
    return;
  }
  if (!state().pool) state().pool = std::make_unique<Pool>(state().threads, state().hook);
  state().pool->run(pieces, body);
}

}  // namespace qzo::core
