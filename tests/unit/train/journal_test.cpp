#include "qzo/train/journal.h"

#include <bit>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "qzo/core/error.h"
#include "qzo/core/hash.h"

#include "train_fixture.h"

namespace qzo::train {
namespace {

constexpr std::size_t kHeader = 64, kRecord = 48;

JournalHeader header(std::uint32_t directions = 1) {
  return {.base_hash = 1,
          .config_hash = 2,
          .tensor_hash = 3,
          .run_seed = 4,
          .floor = 1e-7F,
          .eps_mode = kernels::EpsMode::kRelative,
          .directions = directions};
}

zo::StepRecord record(std::uint64_t step, std::uint32_t direction = 0) {
  return {.step = step,
          .seed = 4,
          .direction = direction,
          .lr = 1e-3F,
          .d_raw = 150.5F + static_cast<float>(step),
          .d_applied = 100.0F,
          .loss_plus = 0.75F,
          .loss_minus = 0.5F,
          .clipped = true,
          .skipped = false};
}

std::span<const std::byte> as_span(const std::string& bytes) {
  return std::as_bytes(std::span(bytes.data(), bytes.size()));
}

Journal parse(const std::string& bytes) { return parse_journal(as_span(bytes), "test"); }

class JournalTest : public testing::Test {
 protected:
  // Steps 0 to 4, a checksum after step 3 (3 done).
  std::string write_sample(std::uint32_t directions = 1) {
    JournalWriter writer = JournalWriter::create(file_, header(directions));
    for (std::uint64_t step = 0; step < 5; ++step) {
      if (step == 3) writer.append_checksum(3, 0xabcdef0123456789);
      std::vector<zo::StepRecord> records;
      for (std::uint32_t direction = 0; direction < directions; ++direction) records.push_back(record(step, direction));
      writer.append(records);
    }
    writer.sync();
    EXPECT_EQ(writer.bytes(), std::filesystem::file_size(file_));
    return test::bytes_of(file_);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "journal.bin";
};

TEST_F(JournalTest, RoundTripsEveryField) {
  write_sample();
  const Journal journal = read_journal(file_);
  EXPECT_EQ(journal.header.base_hash, 1U);
  EXPECT_EQ(journal.header.config_hash, 2U);
  EXPECT_EQ(journal.header.tensor_hash, 3U);
  EXPECT_EQ(journal.header.run_seed, 4U);
  EXPECT_EQ(journal.header.floor, 1e-7F);
  EXPECT_EQ(journal.header.eps_mode, kernels::EpsMode::kRelative);
  EXPECT_EQ(journal.header.directions, 1U);
  ASSERT_EQ(journal.entries.size(), 6U);
  EXPECT_EQ(journal.whole_bytes, kHeader + 6 * kRecord);
  EXPECT_EQ(journal.torn_bytes, 0U);
  const zo::StepRecord& third = journal.entries[2].record;
  EXPECT_EQ(third.step, 2U);
  EXPECT_EQ(third.seed, 4U);
  EXPECT_EQ(third.lr, 1e-3F);
  EXPECT_EQ(third.d_raw, 152.5F);
  EXPECT_EQ(third.d_applied, 100.0F);
  EXPECT_EQ(third.loss_plus, 0.75F);
  EXPECT_EQ(third.loss_minus, 0.5F);
  EXPECT_TRUE(third.clipped);
  EXPECT_FALSE(third.skipped);
  EXPECT_TRUE(journal.entries[3].checksum);
  EXPECT_EQ(journal.entries[3].step, 3U);
  EXPECT_EQ(journal.entries[3].scales_hash, 0xabcdef0123456789U);
}

// The layout that the header promises, byte for byte.
TEST_F(JournalTest, HasTheDocumentedLayout) {
  const std::string bytes = write_sample();
  ASSERT_EQ(bytes.size(), kHeader + 6 * kRecord);
  EXPECT_EQ(bytes.substr(0, 8), "QZOJRNL1");
  const auto number = [&]<class T>(T, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
  };
  constexpr std::uint32_t u32 = 0;
  constexpr std::uint64_t u64 = 0;
  EXPECT_EQ(number(u32, 8), 1U);
  EXPECT_EQ(number(u32, 12), 64U);
  EXPECT_EQ(number(u64, 16), 1U);
  EXPECT_EQ(number(u64, 40), 4U);
  EXPECT_EQ(number(0.0F, 48), 1e-7F);
  EXPECT_EQ(number(u32, 52), 1U);
  EXPECT_EQ(number(u32, 60), core::crc32c(as_span(bytes).first(60)));
  const std::size_t second = kHeader + kRecord;
  EXPECT_EQ(number(u64, second), 1U);
  EXPECT_EQ(number(u64, second + 8), 4U);
  EXPECT_EQ(number(0.0F, second + 20), 151.5F);
  EXPECT_EQ(number(u32, second + 36), 1U);
  EXPECT_EQ(number(u32, second + 40), 0U);
  EXPECT_EQ(number(u32, second + 44), core::crc32c(as_span(bytes).subspan(second, 44)));
}

TEST_F(JournalTest, CutAnywhereKeepsTheWholeRecords) {
  const std::string bytes = write_sample();
  for (std::size_t length = kHeader; length <= bytes.size(); ++length) {
    const Journal journal = parse(bytes.substr(0, length));
    const std::size_t whole = (length - kHeader) / kRecord;
    ASSERT_EQ(journal.entries.size(), whole) << length;
    ASSERT_EQ(journal.whole_bytes, kHeader + whole * kRecord) << length;
    ASSERT_EQ(journal.torn_bytes, length - journal.whole_bytes) << length;
  }
}

TEST_F(JournalTest, AFlippedBitEndsTheValidPrefixAtItsRecord) {
  const std::string bytes = write_sample();
  for (std::size_t offset = kHeader; offset < bytes.size(); ++offset) {
    std::string damaged = bytes;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 1);
    const Journal journal = parse(damaged);
    ASSERT_EQ(journal.entries.size(), (offset - kHeader) / kRecord) << offset;
    ASSERT_EQ(journal.whole_bytes + journal.torn_bytes, bytes.size());
  }
}

TEST_F(JournalTest, ADamagedOrForeignHeaderIsAUserError) {
  const std::string bytes = write_sample();
  for (std::size_t offset = 0; offset < kHeader; ++offset) {
    std::string damaged = bytes;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 0x40);
    EXPECT_THROW(parse(damaged), core::UserError) << offset;
  }
  for (std::size_t length = 0; length < kHeader; ++length) {
    EXPECT_THROW(parse(bytes.substr(0, length)), core::UserError) << length;
  }
  EXPECT_THROW(read_journal(folder_.path() / "absent"), core::UserError);
}

TEST_F(JournalTest, ImpossibleSettingsInAnIntactHeaderAreAUserError) {
  for (JournalHeader bad : {header(0), header(257), header(~0U)}) {
    std::filesystem::remove(file_);
    JournalWriter::create(file_, bad);
    EXPECT_THROW(read_journal(file_), core::UserError) << bad.directions;
  }
  JournalHeader bad = header();
  bad.floor = std::numeric_limits<float>::quiet_NaN();
  std::filesystem::remove(file_);
  JournalWriter::create(file_, bad);
  EXPECT_THROW(read_journal(file_), core::UserError);
}

// Intact records that do not follow each other: left over from before a power cut.
TEST_F(JournalTest, ARecordOutOfSequenceEndsTheValidPrefix) {
  const auto entries_after = [&](const std::function<void(JournalWriter&)>& write) {
    std::filesystem::remove(file_);
    {
      JournalWriter writer = JournalWriter::create(file_, header(2));
      writer.append(record(0, 0));
      writer.append(record(0, 1));
      write(writer);
    }
    return read_journal(file_).entries.size();
  };
  EXPECT_EQ(entries_after([](JournalWriter& w) { w.append(record(1, 0)); }), 3U);
  EXPECT_EQ(entries_after([](JournalWriter& w) { w.append(record(2, 0)); }), 2U);
  EXPECT_EQ(entries_after([](JournalWriter& w) { w.append(record(0, 0)); }), 2U);
  EXPECT_EQ(entries_after([](JournalWriter& w) { w.append(record(1, 1)); }), 2U);
  EXPECT_EQ(entries_after([](JournalWriter& w) { w.append_checksum(1, 9); }), 3U);
  EXPECT_EQ(entries_after([](JournalWriter& w) { w.append_checksum(2, 9); }), 2U);
  EXPECT_EQ(entries_after([](JournalWriter& w) {
              w.append(record(1, 0));
              w.append_checksum(2, 9);
            }),
            3U)
      << "a checksum within a step";
  EXPECT_EQ(entries_after([](JournalWriter& w) {
              zo::StepRecord other = record(1, 0);
              other.seed = 5;
              w.append(other);
            }),
            2U);
  EXPECT_EQ(entries_after([](JournalWriter& w) {
              zo::StepRecord infinite = record(1, 0);
              infinite.d_applied = std::numeric_limits<float>::infinity();
              w.append(infinite);
            }),
            2U);
}

TEST_F(JournalTest, SkippedStepsKeepTheirNonFiniteLosses) {
  {
    JournalWriter writer = JournalWriter::create(file_, header());
    zo::StepRecord skipped = record(0);
    skipped.skipped = true;
    skipped.clipped = false;
    skipped.d_applied = 0;
    skipped.loss_plus = std::numeric_limits<float>::quiet_NaN();
    skipped.d_raw = -std::numeric_limits<float>::infinity();
    writer.append(skipped);
  }
  const Journal journal = read_journal(file_);
  ASSERT_EQ(journal.entries.size(), 1U);
  EXPECT_TRUE(journal.entries[0].record.skipped);
  EXPECT_TRUE(std::isnan(journal.entries[0].record.loss_plus));
  EXPECT_EQ(journal.entries[0].record.d_raw, -std::numeric_limits<float>::infinity());
}

TEST_F(JournalTest, WholeStepsLeaveOutAStepWithoutAllDirections) {
  const std::string bytes = write_sample(3);  // 3 steps of 3, checksum, 2 steps of 3
  const auto whole = [&](std::size_t records) {
    return whole_steps(parse(bytes.substr(0, kHeader + records * kRecord)));
  };
  EXPECT_EQ(whole(0).steps, 0U);
  EXPECT_EQ(whole(0).bytes, kHeader);
  EXPECT_EQ(whole(5).steps, 1U);
  EXPECT_EQ(whole(5).bytes, kHeader + 3 * kRecord);
  EXPECT_EQ(whole(9).bytes, kHeader + 9 * kRecord);
  EXPECT_EQ(whole(10).steps, 3U);
  EXPECT_EQ(whole(10).bytes, kHeader + 10 * kRecord) << "the checksum belongs to the steps before it";
  EXPECT_EQ(whole(12).bytes, kHeader + 10 * kRecord);
  EXPECT_EQ(whole(16).steps, 5U);
}

TEST_F(JournalTest, WriterContinuesBehindWhatIsKeptAndNeverOverwrites) {
  const std::string bytes = write_sample();
  EXPECT_THROW(JournalWriter::create(file_, header()), core::UserError);
  EXPECT_EQ(test::bytes_of(file_), bytes);
  {
    JournalWriter writer = JournalWriter::open(file_, kHeader + 2 * kRecord);
    EXPECT_EQ(std::filesystem::file_size(file_), kHeader + 2 * kRecord);
    writer.append(record(2));
    EXPECT_THROW(JournalWriter::open(file_, kHeader), core::UserError) << "a second writer";
  }
  EXPECT_EQ(test::bytes_of(file_), bytes.substr(0, kHeader + 3 * kRecord));
}

// A limit on the file size makes write(2) fail half-way, as a full disk does.
TEST_F(JournalTest, AFailedAppendIsTakenBack) {
  const pid_t child = test::fork_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    JournalWriter writer = JournalWriter::create(file_, header(2));
    const rlimit limit{.rlim_cur = kHeader + 3 * kRecord + 10, .rlim_max = RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 98;
    writer.append(std::vector{record(0, 0), record(0, 1)});
    try {
      writer.append(std::vector{record(1, 0), record(1, 1)});
    } catch (const core::EnvironmentError&) {
      return writer.bytes() == kHeader + 2 * kRecord ? 0 : 2;
    }
    return 1;
  });
  ASSERT_EQ(test::wait_for(child), 0);
  EXPECT_EQ(std::filesystem::file_size(file_), kHeader + 2 * kRecord);
  EXPECT_EQ(read_journal(file_).entries.size(), 2U);
}

TEST(TensorOrderHashTest, SeesNamesOrderIdsSizesAndFrozenElements) {
  std::vector<float> values(6);
  const std::vector<std::int64_t> frozen = {1};
  const zo::TrainableScales a{"a", 1, std::span(values).first(2), false, {}};
  const zo::TrainableScales b{"b", 2, std::span(values).last(4), false, {}};
  const auto hash = [](std::vector<zo::TrainableScales> tensors) { return tensor_order_hash(tensors); };
  const std::uint64_t base = hash({a, b});
  EXPECT_EQ(base, hash({a, b}));
  EXPECT_NE(base, hash({b, a}));
  EXPECT_NE(base, hash({a}));
  const auto changed = [&](const std::function<void(zo::TrainableScales&)>& change) {
    zo::TrainableScales other = a;
    change(other);
    return hash({other, b});
  };
  EXPECT_NE(base, changed([](auto& t) { t.name = "c"; }));
  EXPECT_NE(base, changed([](auto& t) { t.id = 3; }));
  EXPECT_NE(base, changed([&](auto& t) { t.values = std::span(values).first(3); }));
  EXPECT_NE(base, changed([](auto& t) { t.signed_scales = true; }));
  EXPECT_NE(base, changed([&](auto& t) { t.frozen = frozen; }));
}

class ReplayTest : public testing::Test {
 protected:
  void SetUp() override {
    test::run_fresh(settings_, folder_);
    journal_ = read_journal(folder_.journal());
  }
  // Masters of the run after `step`, from its checkpoint.
  std::uint64_t checksum_at(std::uint64_t step) {
    test::FakeProblem problem;
    for (const JournalEntry& entry : journal_.entries) {
      if (entry.checksum && entry.step == step) return entry.scales_hash;
    }
    ADD_FAILURE() << "no checksum after step " << step;
    return 0;
  }

  test::TemporaryFolder place_;
  LoopSettings settings_ = test::small_settings();
  core::RunFolder folder_{place_.path() / "run"};
  Journal journal_;
};

TEST_F(ReplayTest, RebuildsTheMastersFromTheBase) {
  test::FakeProblem problem;
  EXPECT_EQ(replay(journal_, problem.tensors()), 60U);
  EXPECT_EQ(zo::scales_checksum(problem.tensors()), checksum_at(60));
}

TEST_F(ReplayTest, GoesInPieces) {
  test::FakeProblem problem;
  EXPECT_EQ(replay(journal_, problem.tensors(), 0, 25), 25U);
  EXPECT_EQ(zo::scales_checksum(problem.tensors()), checksum_at(25));
  EXPECT_EQ(replay(journal_, problem.tensors(), 25, 25), 25U);
  EXPECT_EQ(replay(journal_, problem.tensors(), 25, 40), 40U);
  EXPECT_EQ(replay(journal_, problem.tensors(), 40), 60U);
  EXPECT_EQ(zo::scales_checksum(problem.tensors()), checksum_at(60));
}

TEST_F(ReplayTest, LeavesOutATornStep) {
  journal_.entries.resize(4 * 2 + 1);  // the ninth record is the first direction of step 4
  test::FakeProblem torn;
  test::FakeProblem whole;
  EXPECT_EQ(replay(journal_, torn.tensors()), 4U);
  EXPECT_EQ(replay(journal_, whole.tensors(), 0, 4), 4U);
  EXPECT_EQ(zo::scales_checksum(torn.tensors()), zo::scales_checksum(whole.tensors()));
}

TEST_F(ReplayTest, NamesTheStepWhoseChecksumDiffers) {
  test::FakeProblem problem;
  problem.tensors()[0].values[0] += 1e-3F;  // another base
  try {
    replay(journal_, problem.tensors());
    FAIL() << "a wrong base was accepted";
  } catch (const core::UserError& error) {
    EXPECT_NE(std::string(error.what()).find("after step 5 "), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace qzo::train
