#include "qzo/core/thread_pool.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

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

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPool, testing::Values(1, 2, 5));

}  // namespace
}  // namespace qzo::core
