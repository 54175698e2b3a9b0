// The event file of a run, decoded here by the framing and wire format that TensorBoard reads.

#include <bit>
#include <csignal>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qzo/core/hash.h"
#include "qzo/train/loop.h"

#include "train_fixture.h"

namespace qzo::train {
namespace {

namespace fs = std::filesystem;

struct Event {
  double wall_time = 0;
  std::uint64_t step = 0;
  std::string file_version;
  std::map<std::string, float> scalars;
  bool session_start = false;
};

std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = core::crc32c(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

template <class T>
T take(std::string_view& bytes) {
  T value{};
  EXPECT_GE(bytes.size(), sizeof(T));
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = take<std::uint8_t>(bytes);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
  ADD_FAILURE() << "varint without end";
  return value;
}

std::string_view take_bytes(std::string_view& bytes) {
  const std::uint64_t size = take_varint(bytes);
  const std::string_view taken = bytes.substr(0, size);
  EXPECT_EQ(taken.size(), size);
  bytes.remove_prefix(taken.size());
  return taken;
}

// Keys are field number << 3 | wire type (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes).
void decode_value(std::string_view bytes, Event& event) {
  std::string tag;
  while (!bytes.empty()) {
    const std::uint64_t key = take_varint(bytes);
    if (key == (1 << 3 | 2)) {
      tag = take_bytes(bytes);
    } else {
      ASSERT_EQ(key, 2U << 3 | 5U);
      event.scalars[tag] = take<float>(bytes);
    }
  }
}

Event decode_event(std::string_view bytes) {
  Event event;
  while (!bytes.empty()) {
    switch (take_varint(bytes)) {
      case 1 << 3 | 1:
        event.wall_time = take<double>(bytes);
        break;
      case 2 << 3 | 0:
        event.step = take_varint(bytes);
        break;
      case 3 << 3 | 2:
        event.file_version = take_bytes(bytes);
        break;
      case 5 << 3 | 2: {
        std::string_view summary = take_bytes(bytes);
        while (!summary.empty()) {
          EXPECT_EQ(take_varint(summary), 1U << 3 | 2U);
          decode_value(take_bytes(summary), event);
        }
        break;
      }
      case 7 << 3 | 2:
        event.session_start = take_bytes(bytes) == std::string_view("\x08\x01");
        break;
      default:
        ADD_FAILURE() << "unknown field";
        return event;
    }
  }
  return event;
}

std::vector<Event> read_events(const fs::path& file) {
  const std::string content = test::bytes_of(file);
  std::string_view bytes = content;
  std::vector<Event> events;
  while (!bytes.empty()) {
    const std::string_view frame = bytes;
    const auto length = take<std::uint64_t>(bytes);
    EXPECT_EQ(take<std::uint32_t>(bytes), masked_crc(frame.substr(0, 8)));
    const std::string_view payload = bytes.substr(0, length);
    EXPECT_EQ(payload.size(), length);
    bytes.remove_prefix(payload.size());
    EXPECT_EQ(take<std::uint32_t>(bytes), masked_crc(payload));
    events.push_back(decode_event(payload));
  }
  return events;
}

class TensorboardTest : public testing::Test {
 protected:
  std::vector<fs::path> event_files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_.root)) {
      if (entry.path().filename().string().starts_with("events.out.tfevents.")) files.push_back(entry.path());
    }
    return files;
  }

  test::TemporaryFolder place_;
  core::RunFolder folder_{place_.path() / "run"};
  LoopSettings settings_ = test::small_settings();
};

TEST_F(TensorboardTest, HoldsTheVersionEveryStepAndEveryEvaluation) {
  test::RecordingReporter reporter;
  test::FakeProblem problem;
  const LoopResult result = run(problem, settings_, folder_, Resume::kNo, reporter);
  ASSERT_EQ(event_files().size(), 1U);
  const std::vector<Event> events = read_events(event_files().front());
  ASSERT_EQ(events.size(), 2U + 60 + 4);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.6e9);
  EXPECT_TRUE(events[1].session_start);
  EXPECT_FLOAT_EQ(events[2].scalars.at("dev/loss"), static_cast<float>(result.zero_shot.loss));
  EXPECT_EQ(events[2].step, 0U);
  std::uint64_t step = 0;
  for (const Event& event : events) {
    if (!event.scalars.contains("train/loss")) continue;
    ASSERT_EQ(event.step, ++step);
    EXPECT_FLOAT_EQ(event.scalars.at("train/loss"), static_cast<float>(reporter.steps[step - 1].loss));
    EXPECT_FLOAT_EQ(event.scalars.at("train/projected_grad"), static_cast<float>(reporter.steps[step - 1].d));
    EXPECT_FLOAT_EQ(event.scalars.at("train/lr"), static_cast<float>(settings_.lr));
  }
  EXPECT_EQ(step, 60U);
}

TEST_F(TensorboardTest, AContinuedRunVoidsWhatItWritesAgain) {
  test::FakeProblem problem;
  problem.on_loss = [](std::uint64_t call, zo::LossPair&) {
    if (call == 2 * 22) std::raise(SIGTERM);
  };
  test::RecordingReporter reporter;
  run(problem, settings_, folder_, Resume::kNo, reporter);
  const auto first = event_files();
  // Another name even within the same second: the file is named after the process too.
  const pid_t child = test::fork_child([&] {
    test::run_fresh(settings_, folder_, Resume::kAuto);
    return 0;
  });
  ASSERT_EQ(test::wait_for(child), 0);
  ASSERT_EQ(event_files().size(), 2U);
  for (const fs::path& file : event_files()) {
    if (file == first.front()) continue;
    const std::vector<Event> events = read_events(file);
    EXPECT_TRUE(events[1].session_start);
    EXPECT_EQ(events[1].step, 24U);
    EXPECT_EQ(events[2].step, 24U);
  }
}

TEST_F(TensorboardTest, IsLeftOutIfNotWanted) {
  settings_.tensorboard = false;
  test::run_fresh(settings_, folder_);
  EXPECT_TRUE(event_files().empty());
}

}  // namespace
}  // namespace qzo::train
