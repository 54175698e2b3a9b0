// Runs that are killed, damaged or out of disk, compared byte for byte with one that was not.

#include <cerrno>
#include <csignal>
#include <cstring>
#include <random>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "qzo/core/error.h"
#include "qzo/train/checkpoint.h"
#include "qzo/train/journal.h"
#include "qzo/train/loop.h"

#include "train_fixture.h"

namespace qzo::train {
namespace {

namespace fs = std::filesystem;
using Steps = std::vector<std::uint64_t>;

class ResumeTest : public testing::Test {
 protected:
  void SetUp() override { test::run_fresh(settings_, reference_); }

  // As after a kill: the reference run up to `step`, its result gone.
  void stop_at(std::uint64_t step) {
    const pid_t child = test::fork_child([&] {
      test::FakeProblem problem;
      problem.on_loss = [&](std::uint64_t call, zo::LossPair&) {
        if (call == 2 * step) ::raise(SIGKILL);
      };
      test::RecordingReporter reporter;
      run(problem, settings_, folder_, Resume::kNo, reporter);
      return 0;
    });
    ASSERT_EQ(test::wait_for(child), -SIGKILL);
  }
  // Goes on to the end; everything must be as in the reference.
  void expect_recovers() {
    reporter_ = {};
    test::FakeProblem problem;
    EXPECT_EQ(run(problem, settings_, folder_, Resume::kAuto, reporter_).steps_done, settings_.steps);
    computed_steps_ = problem.loss_calls / 2;
    expect_same();
  }
  void expect_same_files(const core::RunFolder& other) {
    const auto here = test::lasting_bytes(folder_);
    const auto there = test::lasting_bytes(other);
    // The names first: bytes make unreadable messages.
    ASSERT_EQ(names_of(here), names_of(there));
    for (const auto& [name, bytes] : there) EXPECT_TRUE(here.at(name) == bytes) << name << " differs";
  }
  static std::vector<std::string> names_of(const std::map<std::string, std::string>& files) {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : files) names.push_back(name);
    return names;
  }
  void expect_same() {
    expect_same_files(reference_);
    Steps all;
    for (std::uint64_t step = 1; step <= settings_.steps; ++step) all.push_back(step);
    EXPECT_EQ(test::logged_steps(folder_, false), all);
    EXPECT_EQ(test::logged_steps(folder_, true), test::logged_steps(reference_, true));
  }
  fs::path scales(std::uint64_t step) { return checkpoint_path(folder_, step) / "scales.safetensors"; }

  test::TemporaryFolder place_;
  core::RunFolder reference_{place_.path() / "reference"};
  core::RunFolder folder_{place_.path() / "run"};
  LoopSettings settings_ = test::small_settings();
  test::RecordingReporter reporter_;
  std::uint64_t computed_steps_ = 0;
};

TEST_F(ResumeTest, TwoRunsAreTheSame) {
  test::run_fresh(settings_, folder_);
  expect_same();
}

TEST_F(ResumeTest, KilledAtRandomMomentsItLeavesTheSameBytes) {
  std::mt19937 random(20250513);
  std::uniform_int_distribution<int> microseconds(0, 45000);
  int kills = 0;
  for (int round = 0; kills < 25; ++round) {
    folder_.root = place_.path() / ("run" + std::to_string(round));
    for (bool done = false; !done;) {
      const pid_t child = test::fork_child([&] {
        test::FakeProblem problem;
        problem.microseconds_per_loss = 500;
        test::RecordingReporter reporter;
        return run(problem, settings_, folder_, Resume::kAuto, reporter).steps_done == settings_.steps ? 0 : 1;
      });
      ::usleep(static_cast<useconds_t>(microseconds(random)));
      ::kill(child, SIGKILL);
      const int end = test::wait_for(child);
      ASSERT_TRUE(end == 0 || end == -SIGKILL) << end;
      done = end == 0;
      kills += done ? 0 : 1;
    }
    expect_same();
  }
  RecordProperty("kills", kills);
}

TEST_F(ResumeTest, KilledAtEveryStepItLeavesTheSameBytes) {
  for (std::uint64_t step = 0; step < settings_.steps; step += 7) {
    folder_.root = place_.path() / ("run" + std::to_string(step));
    stop_at(step);
    expect_recovers();
    EXPECT_EQ(computed_steps_, settings_.steps - step) << "steps in the journal are not computed again";
  }
}

TEST_F(ResumeTest, KilledBehindTheLastStep) {
  const auto killed_by = [&](const std::function<void(test::FakeProblem&)>& arm) {
    const pid_t child = test::fork_child([&] {
      test::FakeProblem problem;
      arm(problem);
      test::RecordingReporter reporter;
      run(problem, settings_, folder_, Resume::kNo, reporter);
      return 0;
    });
    return test::wait_for(child) == -SIGKILL;
  };
  folder_.root = place_.path() / "evaluating";
  ASSERT_TRUE(killed_by([](test::FakeProblem& problem) {
    problem.on_evaluate = [&] {
      if (problem.evaluations == 4) ::raise(SIGKILL);
    };
  }));
  expect_recovers();
  EXPECT_EQ(computed_steps_, 0U);

  folder_.root = place_.path() / "exporting";
  ASSERT_TRUE(killed_by([](test::FakeProblem& problem) { problem.on_export = [] { ::raise(SIGKILL); }; }));
  EXPECT_TRUE(fs::exists(folder_.model())) << "an empty folder is no model";
  expect_recovers();
  EXPECT_EQ(computed_steps_, 0U);
}

TEST_F(ResumeTest, CutsATornJournalAnywhere) {
  stop_at(29);
  const std::string journal = test::bytes_of(folder_.journal());
  for (std::size_t cut = 1; cut < 48 * 4; cut += 13) {
    const core::RunFolder torn{place_.path() / ("torn" + std::to_string(cut))};
    fs::copy(folder_.root, torn.root, fs::copy_options::recursive);
    fs::resize_file(torn.journal(), journal.size() - cut);
    const core::RunFolder whole = std::exchange(folder_, torn);
    expect_recovers();
    EXPECT_TRUE(reporter_.said("goes on at step 2"));
    folder_ = whole;
  }
}

TEST_F(ResumeTest, CutsGarbageBehindTheJournal) {
  stop_at(29);
  test::write_bytes(folder_.journal(), test::bytes_of(folder_.journal()) + std::string(1000, '\0'));
  expect_recovers();
  EXPECT_TRUE(reporter_.said("1000 torn or damaged bytes"));
  EXPECT_EQ(computed_steps_, 31U);
}

TEST_F(ResumeTest, ADamagedRecordInTheMiddleIsComputedAgain) {
  stop_at(45);
  test::flip_byte(folder_.journal(), 64 + 48 * 30);
  expect_recovers();
  EXPECT_GT(computed_steps_, 30U);
  EXPECT_TRUE(reporter_.said("is passed over"));
}

TEST_F(ResumeTest, FallsBackFromADamagedCheckpoint) {
  stop_at(45);
  ASSERT_EQ(list_checkpoints(folder_), (Steps{20, 32, 40})) << "20 was the best when 32 was saved";
  test::flip_byte(scales(40), fs::file_size(scales(40)) - 3);
  expect_recovers();
  EXPECT_TRUE(reporter_.said("step-000040"));
  EXPECT_TRUE(reporter_.said("checkpoint step-000032"));
  EXPECT_EQ(computed_steps_, 15U);
}

TEST_F(ResumeTest, FallsBackFromADamagedState) {
  for (const char* state : {"", "{}", "{\"version\": 1, \"steps_done\": 40, \"journal_bytes\": 1, \"counters\": 3}"}) {
    folder_.root = place_.path() / ("run" + std::to_string(std::strlen(state)));
    stop_at(45);
    test::write_bytes(checkpoint_path(folder_, 40) / "state.json", state);
    expect_recovers();
    EXPECT_EQ(computed_steps_, 15U);
  }
}

TEST_F(ResumeTest, FallsBackToTheBaseIfNoCheckpointIsGood) {
  stop_at(45);
  for (const std::uint64_t step : list_checkpoints(folder_)) fs::resize_file(scales(step), 10);
  expect_recovers();
  EXPECT_TRUE(reporter_.said("the base checkpoint, then 45 steps"));
  EXPECT_EQ(computed_steps_, 15U);
}

TEST_F(ResumeTest, FallsBackIfAllCheckpointsAreGone) {
  stop_at(45);
  fs::remove_all(folder_.checkpoints());
  expect_recovers();
  EXPECT_EQ(computed_steps_, 15U);
}

TEST_F(ResumeTest, RebuildsTheBestCheckpointIfItIsDamaged) {
  // The best stands at 40; 48 is newer but counts on it.
  stop_at(50);
  ASSERT_EQ(list_checkpoints(folder_), (Steps{40, 48}));
  test::flip_byte(scales(40), fs::file_size(scales(40)) - 3);
  expect_recovers();
  EXPECT_EQ(computed_steps_, 10U);
}

TEST_F(ResumeTest, PointersFollowTheStateAfterAKillBetweenCheckpointAndPointer) {
  stop_at(45);
  test::write_bytes(folder_.best(), "step-000020\n");
  fs::remove(folder_.latest());
  expect_recovers();
}

TEST_F(ResumeTest, OldCheckpointsGoAfterAKillBetweenCheckpointAndRetention) {
  stop_at(59);
  ASSERT_EQ(list_checkpoints(folder_), (Steps{40, 48, 56}));
  const fs::path kept = place_.path() / "kept";
  fs::copy(checkpoint_path(folder_, 48), kept);
  expect_recovers();
  fs::copy(kept, checkpoint_path(folder_, 48));
  fs::remove(folder_.result());
  fs::remove_all(folder_.model());
  expect_recovers();
}

TEST_F(ResumeTest, IgnoresHalfWrittenCheckpoints) {
  stop_at(45);
  const fs::path stale = folder_.checkpoints() / ".step-000044.tmp";
  fs::create_directories(stale);
  test::write_bytes(stale / "DONE", "");
  fs::create_directories(checkpoint_path(folder_, 44));  // without DONE
  expect_recovers();
  EXPECT_FALSE(fs::exists(stale));
}

TEST_F(ResumeTest, LogIsCompletedFromTheJournal) {
  stop_at(45);
  const std::string log = test::bytes_of(folder_.log());
  for (const std::size_t keep : {log.size() - 10, log.size() / 2, std::size_t{0}}) {
    const core::RunFolder copy{place_.path() / ("log" + std::to_string(keep))};
    fs::copy(folder_.root, copy.root, fs::copy_options::recursive);
    if (keep < log.size() / 2 + 1) fs::remove_all(copy.checkpoints());  // else older steps are not passed again
    fs::resize_file(copy.log(), keep);
    const core::RunFolder whole = std::exchange(folder_, copy);
    expect_recovers();
    folder_ = whole;
  }
}

TEST_F(ResumeTest, AJournalOfAnotherHistoryIsNoticed) {
  stop_at(45);
  fs::remove_all(folder_.checkpoints());
  test::FakeProblem problem;
  problem.tensors()[0].values[7] += 0.01F;  // the base checkpoint is not what its hash says
  EXPECT_THROW(run(problem, settings_, folder_, Resume::kAuto, reporter_), core::UserError);
}

// The run in a child that cannot write more than `bytes` into one file: 0 = the error was an EnvironmentError.
int run_with_file_limit(const LoopSettings& settings, const core::RunFolder& folder, std::uint64_t bytes) {
  return test::wait_for(test::fork_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 98;
    try {
      test::run_fresh(settings, folder, Resume::kAuto);
    } catch (const core::EnvironmentError&) {
      return 0;
    }
    return 1;
  }));
}

TEST_F(ResumeTest, AFailedWriteEndsTheRunAndLosesNothing) {
  // Below the size of a checkpoint; then of the log at several steps; then of the journal with a short log.
  for (const std::uint64_t bytes : {300U, 700U, 1500U, 3000U, 5000U, 9000U, 13001U}) {
    folder_.root = place_.path() / ("limit" + std::to_string(bytes));
    ASSERT_EQ(run_with_file_limit(settings_, folder_, bytes), 0) << bytes;
    expect_recovers();
  }
  const core::RunFolder sparse{place_.path() / "sparse_reference"};
  settings_.log_every = 1000;
  settings_.tensorboard = false;
  test::run_fresh(settings_, sparse);
  for (const std::uint64_t bytes : {2000U, 4000U, 4020U}) {
    folder_.root = place_.path() / ("journal_limit" + std::to_string(bytes));
    ASSERT_EQ(run_with_file_limit(settings_, folder_, bytes), 0) << bytes;
    test::run_fresh(settings_, folder_, Resume::kAuto);
    expect_same_files(sparse);
  }
}

// A disk of a few pages; gone at the end of the test however it ends.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path place) : place_(std::move(place)) {
    fs::create_directories(place_);
    mounted_ = ::mount("tmpfs", place_.c_str(), "tmpfs", 0, "size=60k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(place_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] bool grow() const { return ::mount("tmpfs", place_.c_str(), "tmpfs", MS_REMOUNT, "size=10m") == 0; }

 private:
  fs::path place_;
  bool mounted_ = false;
};

TEST_F(ResumeTest, AFullDiskEndsTheRunAndLosesNothing) {
  const SmallDisk disk(place_.path() / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small disk is not permitted here: " << std::strerror(errno);
  folder_.root = place_.path() / "disk" / "run";
  try {
    test::run_fresh(settings_, folder_);
    ADD_FAILURE() << "the disk was large enough";
  } catch (const core::EnvironmentError& error) {
    EXPECT_NE(std::string(error.what()).find(std::strerror(ENOSPC)), std::string::npos) << error.what();
  }
  const Journal journal = read_journal(folder_.journal());
  EXPECT_EQ(journal.torn_bytes, 0U);
  ASSERT_TRUE(disk.grow()) << std::strerror(errno);
  expect_recovers();
}

}  // namespace
}  // namespace qzo::train
