#include "qzo/core/thread_pool.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sched.h>

#include "qzo/core/error.h"

namespace qzo::core {
namespace {

class ThreadPool : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_thread_count(GetParam()); }
  void TearDown() override { set_thread_count(0); }
};

TEST_P(ThreadPool, every_piece_once_and_workers_in_range) {
  std::vector<std::atomic<int>> seen(1000);
  std::atomic<bool> in_range = true;
  for (int repeat = 0; repeat < 200; ++repeat) {
    parallel_for(1000, [&](std::int64_t piece, int worker) {
      seen[static_cast<std::size_t>(piece)]++;
      if (worker < 0 || worker >= thread_count()) in_range = false;
    });
  }
  for (const auto& count : seen) ASSERT_EQ(count, 200);
  EXPECT_TRUE(in_range);
  parallel_for(0, [](std::int64_t, int) { FAIL(); });
}

TEST_P(ThreadPool, nested_loops_run_on_their_own_thread) {
  std::atomic<int> inner = 0;
  std::atomic<bool> same = true;
  parallel_for(8, [&](std::int64_t, int worker) {
    parallel_for(5, [&](std::int64_t, int inner_worker) {
      ++inner;
      if (inner_worker != worker) same = false;
    });
  });
  EXPECT_EQ(inner, 40);
  EXPECT_TRUE(same);
}

TEST_P(ThreadPool, exceptions_reach_the_caller_and_the_pool_lives_on) {
  EXPECT_THROW(parallel_for(100,
                            [](std::int64_t piece, int) {
                              if (piece == 50) throw std::runtime_error("piece 50");
                            }),
               std::runtime_error);
  std::atomic<int> count = 0;
  parallel_for(10, [&](std::int64_t, int) { ++count; });
  EXPECT_EQ(count, 10);
}

TEST_P(ThreadPool, start_hook_runs_in_every_thread) {
  std::atomic<int> started = 0;
  set_thread_start_hook([&] { ++started; });
  std::atomic<int> done = 0;
  parallel_for(1000, [&](std::int64_t, int) { ++done; });
  set_thread_start_hook({});
  EXPECT_EQ(started, GetParam());
}

TEST_P(ThreadPool, pieces_that_write_their_own_output_give_the_same_for_any_thread_count) {
  std::vector<double> out(5000);
  parallel_for(5000, [&](std::int64_t piece, int) {
    double sum = 0;
    for (int i = 1; i <= 20; ++i) sum += 1.0 / static_cast<double>(piece + i);
    out[static_cast<std::size_t>(piece)] = sum;
  });
  double in_order = 0;
  for (int i = 1; i <= 20; ++i) in_order += 1.0 / (4999.0 + i);
  EXPECT_EQ(out.back(), in_order);
}

TEST_P(ThreadPool, no_loop_waits_for_ever_when_loops_are_far_apart) {
  std::atomic<int> done = 0;
  for (int loop = 0; loop < 20; ++loop) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // long enough for the workers to sleep
    parallel_for(7, [&](std::int64_t, int) { ++done; });
  }
  EXPECT_EQ(done, 140);
}

TEST(ThreadCount, zero_means_the_processors_of_this_process) {
  set_thread_count(3);
  EXPECT_EQ(thread_count(), 3);
  set_thread_count(0);
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(thread_count(), CPU_COUNT(&set));
  parallel_for(1, [](std::int64_t, int) { EXPECT_THROW(set_thread_count(2), InternalError); });
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPool, testing::Values(1, 2, 5));

}  // namespace
}  // namespace qzo::core
