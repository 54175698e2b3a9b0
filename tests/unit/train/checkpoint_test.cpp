#include "qzo/train/checkpoint.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "qzo/core/error.h"

#include "train_fixture.h"

namespace qzo::train {
namespace {

namespace fs = std::filesystem;
using Steps = std::vector<std::uint64_t>;

class CheckpointTest : public testing::Test {
 protected:
  void save(std::uint64_t step, float first_value = 1.0F) {
    problem_.tensors()[0].values[0] = first_value;
    save_checkpoint(folder_, {.steps_done = step, .journal_bytes = 64 + step * 48, .counters = {{"note", step}}},
                    problem_.tensors());
  }
  fs::path file(std::uint64_t step, const char* name) { return checkpoint_path(folder_, step) / name; }

  void expect_refused(std::uint64_t step, const std::string& part) {
    test::FakeProblem fresh;
    const std::uint64_t before = zo::scales_checksum(fresh.tensors());
    try {
      load_checkpoint(folder_, step, fresh.tensors());
      FAIL() << "accepted";
    } catch (const core::UserError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
    EXPECT_EQ(zo::scales_checksum(fresh.tensors()), before) << "masters were touched";
    EXPECT_THROW(verify_checkpoint(folder_, step, fresh.tensors()), core::UserError);
  }

  test::TemporaryFolder place_;
  core::RunFolder folder_{place_.path() / "run"};
  test::FakeProblem problem_;
};

TEST_F(CheckpointTest, RoundTrips) {
  save(400, 0.123F);
  EXPECT_EQ(checkpoint_path(folder_, 400).filename(), "step-000400");
  for (const char* name : {"state.json", "scales.safetensors", "DONE"})
    EXPECT_TRUE(fs::exists(file(400, name))) << name;
  test::FakeProblem fresh;
  const CheckpointState state = load_checkpoint(folder_, 400, fresh.tensors());
  EXPECT_EQ(state.steps_done, 400U);
  EXPECT_EQ(state.journal_bytes, 64U + 400 * 48);
  EXPECT_EQ(state.counters.at("note"), 400);
  EXPECT_EQ(fresh.tensors()[0].values[0], 0.123F);
  EXPECT_EQ(zo::scales_checksum(fresh.tensors()), zo::scales_checksum(problem_.tensors()));
}

TEST_F(CheckpointTest, LeavesNothingTemporary) {
  save(1);
  save(1, 2.0F);
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_.checkpoints())) ++entries;
  EXPECT_EQ(entries, 1U);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(checkpoint_path(folder_, 1))) ++files;
  EXPECT_EQ(files, 3U);
}

TEST_F(CheckpointTest, ReplacesOneOfTheSameStep) {
  save(8, 1.0F);
  save(8, 2.0F);
  test::FakeProblem fresh;
  load_checkpoint(folder_, 8, fresh.tensors());
  EXPECT_EQ(fresh.tensors()[0].values[0], 2.0F);
}

TEST_F(CheckpointTest, ListsOnlyCompleteOnesInOrder) {
  for (const std::uint64_t step : {1000000U, 30U, 7U}) save(step);
  fs::remove(file(30, "DONE"));
  for (const char* foreign : {"step-9", "step-0000007", "step-00000x", "step-", "epoch-000001", ".step-000002.tmp"}) {
    fs::create_directories(folder_.checkpoints() / foreign);
    test::write_bytes(folder_.checkpoints() / foreign / "DONE", "");
  }
  EXPECT_EQ(list_checkpoints(folder_), (Steps{7, 1000000}));
  EXPECT_EQ(list_checkpoints({place_.path() / "absent"}), Steps{});
}

TEST_F(CheckpointTest, RefusesWhatIsDamagedAndTouchesNothing) {
  save(1);
  test::flip_byte(file(1, "scales.safetensors"), fs::file_size(file(1, "scales.safetensors")) - 5);
  expect_refused(1, "is damaged");

  save(2);
  fs::resize_file(file(2, "scales.safetensors"), fs::file_size(file(2, "scales.safetensors")) - 4);
  expect_refused(2, "scales.safetensors");

  save(3);
  test::write_bytes(file(3, "state.json"), "{\"version\": 1, \"steps_do");
  expect_refused(3, "state.json");

  save(4);
  test::write_bytes(file(4, "state.json"), "[]");
  expect_refused(4, "state.json");

  save(5);
  fs::remove(file(5, "scales.safetensors"));
  expect_refused(5, "scales.safetensors");

  save(6);
  fs::remove(file(6, "DONE"));
  expect_refused(6, "DONE");

  save(7);
  fs::rename(checkpoint_path(folder_, 7), checkpoint_path(folder_, 70));
  expect_refused(70, "is of step 7");

  expect_refused(99, "step-000099");
}

TEST_F(CheckpointTest, RefusesAFieldOfStateThatWasChanged) {
  save(1);
  std::string state = test::bytes_of(file(1, "state.json"));
  for (const char* key : {"version", "steps_done", "journal_bytes", "scales_xxh3", "counters"}) {
    core::Json json = core::parse_json(state, "state");
    json.erase(key);
    test::write_bytes(file(1, "state.json"), json.dump());
    test::FakeProblem fresh;
    EXPECT_THROW(load_checkpoint(folder_, 1, fresh.tensors()), core::UserError) << key;
    json[key] = -1.5;
    test::write_bytes(file(1, "state.json"), json.dump());
    if (std::string(key) != "counters") {
      EXPECT_THROW(load_checkpoint(folder_, 1, fresh.tensors()), core::UserError) << key;
    }
  }
}

TEST_F(CheckpointTest, RefusesOtherTensors) {
  save(1);
  test::FakeProblem fresh;
  fresh.tensors()[0].values = fresh.tensors()[0].values.first(149);
  EXPECT_THROW(load_checkpoint(folder_, 1, fresh.tensors()), core::UserError);
  test::FakeProblem renamed;
  renamed.tensors()[1].name = "layer.2.scales";
  EXPECT_THROW(load_checkpoint(folder_, 1, renamed.tensors()), core::UserError);
}

TEST_F(CheckpointTest, NewestFallsBackAndSaysSo) {
  save(1, 1.0F);
  save(2, 2.0F);
  save(3, 3.0F);
  save(4, 4.0F);
  test::flip_byte(file(4, "scales.safetensors"), fs::file_size(file(4, "scales.safetensors")) - 1);
  test::write_bytes(file(3, "state.json"), "");
  test::FakeProblem fresh;
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& sentence) { warnings.push_back(sentence); };
  const auto state = load_newest_checkpoint(folder_, fresh.tensors(), warn);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->steps_done, 2U);
  EXPECT_EQ(fresh.tensors()[0].values[0], 2.0F);
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_NE(warnings[0].find("step-000004"), std::string::npos);
  EXPECT_NE(warnings[1].find("step-000003"), std::string::npos);
}

TEST_F(CheckpointTest, NewestAsksTheCallerBeforeLoading) {
  save(1, 1.0F);
  save(2, 2.0F);
  test::FakeProblem fresh;
  int warnings = 0;
  const auto refuse_2 = [](const CheckpointState& state) {
    if (state.steps_done == 2) throw core::UserError("not this one");
  };
  const auto state = load_newest_checkpoint(
      folder_, fresh.tensors(), [&](const std::string&) { ++warnings; }, refuse_2);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->steps_done, 1U);
  EXPECT_EQ(warnings, 1);
}

TEST_F(CheckpointTest, NoneLeavesTheMastersAlone) {
  save(1, 1.0F);
  fs::remove(file(1, "state.json"));
  test::FakeProblem fresh;
  const std::uint64_t before = zo::scales_checksum(fresh.tensors());
  EXPECT_FALSE(load_newest_checkpoint(folder_, fresh.tensors(), [](const std::string&) {}));
  EXPECT_EQ(zo::scales_checksum(fresh.tensors()), before);
}

struct Retention {
  Steps there;
  int keep_last;
  Steps pinned;
  Steps expected;
};

class RetentionTest : public CheckpointTest, public testing::WithParamInterface<Retention> {};

TEST_P(RetentionTest, KeepsTheNewestAndThePinned) {
  for (const std::uint64_t step : GetParam().there) save(step);
  retain_checkpoints(folder_, GetParam().keep_last, GetParam().pinned);
  EXPECT_EQ(list_checkpoints(folder_), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Cases, RetentionTest,
                         testing::Values(Retention{{1, 2, 3, 4}, 2, {}, {3, 4}},
                                         Retention{{1, 2, 3, 4}, 2, {1}, {1, 3, 4}},
                                         Retention{{1, 2, 3, 4}, 2, {4}, {3, 4}}, Retention{{1, 2}, 3, {}, {1, 2}},
                                         Retention{{1}, 2, {}, {1}}, Retention{{}, 2, {}, {}},
                                         Retention{{1, 2, 3}, 0, {2}, {2}}, Retention{{1, 2, 3}, -5, {2}, {2}},
                                         Retention{{1, 2, 3}, 1, {2, 7}, {2, 3}}));

TEST_F(CheckpointTest, RetentionTouchesNothingForeign) {
  for (const std::uint64_t step : {1U, 2U, 3U}) save(step);
  fs::create_directories(folder_.checkpoints() / "mine");
  fs::create_directories(folder_.checkpoints() / "step-000000");  // not complete
  retain_checkpoints(folder_, 1, {});
  EXPECT_TRUE(fs::exists(folder_.checkpoints() / "mine"));
  EXPECT_TRUE(fs::exists(folder_.checkpoints() / "step-000000"));
  EXPECT_EQ(list_checkpoints(folder_), Steps{3});
}

TEST_F(CheckpointTest, RemovesWhatKilledSavesLeft) {
  save(1);
  for (const char* stale : {".step-000002.tmp", ".step-000001.old"}) {
    fs::create_directories(folder_.checkpoints() / stale);
    test::write_bytes(folder_.checkpoints() / stale / "DONE", "");
  }
  remove_stale_checkpoints(folder_);
  EXPECT_FALSE(fs::exists(folder_.checkpoints() / ".step-000002.tmp"));
  EXPECT_FALSE(fs::exists(folder_.checkpoints() / ".step-000001.old"));
  EXPECT_EQ(list_checkpoints(folder_), Steps{1});
  remove_stale_checkpoints({place_.path() / "absent"});
}

TEST_F(CheckpointTest, DiscardsLaterOnes) {
  for (const std::uint64_t step : {1U, 2U, 3U}) save(step);
  discard_checkpoints_after(folder_, 2);
  EXPECT_EQ(list_checkpoints(folder_), (Steps{1, 2}));
}

}  // namespace
}  // namespace qzo::train
