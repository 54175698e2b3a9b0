#include "qzo/train/trajectory.h"

#include <gtest/gtest.h>

#include "qzo/core/error.h"

#include "train_fixture.h"

namespace qzo::train {
namespace {

class TrajectoryTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    LoopSettings settings = test::small_settings();
    settings.zo.directions = GetParam();
    settings.lr /= 2;
    settings.schedule = zo::Schedule::kCosine;
    test::FakeProblem problem;
    // Steps in the middle and at the end meet a NaN.
    problem.on_loss = [](std::uint64_t call, zo::LossPair& losses) {
      const std::uint64_t step = call / static_cast<std::uint64_t>(GetParam());
      if (step == 7 || step == 30 || step >= 58) losses.plus = std::numeric_limits<double>::quiet_NaN();
    };
    test::RecordingReporter reporter;
    const core::RunFolder folder{place_.path() / "run"};
    EXPECT_EQ(run(problem, settings, folder, Resume::kNo, reporter).skipped, 4U);
    journal_ = read_journal(folder.journal());
  }

  std::uint64_t replayed(const Journal& journal, std::uint64_t steps = ~0ull) {
    test::FakeProblem problem;
    replay(journal, problem.tensors(), 0, steps);
    return zo::scales_checksum(problem.tensors());
  }

  test::TemporaryFolder place_;
  std::filesystem::path file_ = place_.path() / "trajectory.bin";
  Journal journal_;
};

TEST_P(TrajectoryTest, GivesTheSameMastersAsTheJournal) {
  write_trajectory(journal_, file_);
  const Journal trajectory = read_trajectory(file_);
  EXPECT_EQ(trajectory.header.base_hash, journal_.header.base_hash);
  EXPECT_EQ(trajectory.header.tensor_hash, journal_.header.tensor_hash);
  EXPECT_EQ(replayed(trajectory), replayed(journal_));
}

TEST_P(TrajectoryTest, StopsAtTheStepAskedFor) {
  for (const std::uint64_t steps : {0U, 1U, 7U, 8U, 25U, 31U, 59U, 60U, 1000U}) {
    write_trajectory(journal_, file_, steps);
    EXPECT_EQ(replayed(read_trajectory(file_)), replayed(journal_, steps)) << steps;
  }
}

TEST_P(TrajectoryTest, TakesAtMost16BytesADirectionAndStep) {
  write_trajectory(journal_, file_);
  const auto size = std::filesystem::file_size(file_);
  EXPECT_EQ(size, 64U + 24 + 4 + 56U * 12 * static_cast<unsigned>(GetParam()));
}

TEST_P(TrajectoryTest, VerifiesTheLastChecksum) {
  write_trajectory(journal_, file_);
  const Journal trajectory = read_trajectory(file_);
  test::FakeProblem other;
  other.tensors()[1].values[5] += 1e-3F;
  EXPECT_THROW(replay(trajectory, other.tensors()), core::UserError);
}

TEST_P(TrajectoryTest, NoticesEveryFlippedBitAndEveryCut) {
  write_trajectory(journal_, file_);
  const std::string bytes = test::bytes_of(file_);
  const auto parse = [](const std::string& text) {
    return parse_trajectory(std::as_bytes(std::span(text.data(), text.size())), "test");
  };
  EXPECT_NO_THROW(parse(bytes));
  for (std::size_t offset = 0; offset < bytes.size(); ++offset) {
    std::string damaged = bytes;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 2);
    EXPECT_THROW(parse(damaged), core::UserError) << offset;
    EXPECT_THROW(parse(bytes.substr(0, offset)), core::UserError) << offset;
  }
  EXPECT_THROW(read_trajectory(place_.path() / "absent"), core::UserError);
}

TEST_P(TrajectoryTest, AJournalIsNotATrajectory) {
  EXPECT_THROW(read_trajectory(place_.path() / "run" / "journal.bin"), core::UserError);
  write_trajectory(journal_, file_);
  EXPECT_THROW(read_journal(file_), core::UserError);
}

INSTANTIATE_TEST_SUITE_P(Directions, TrajectoryTest, testing::Values(1, 3));

}  // namespace
}  // namespace qzo::train
