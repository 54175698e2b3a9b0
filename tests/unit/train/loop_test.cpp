#include "qzo/train/loop.h"

#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/core/json_file.h"
#include "qzo/data/sampler.h"
#include "qzo/train/checkpoint.h"
#include "qzo/train/journal.h"

#include "train_fixture.h"

namespace qzo::train {
namespace {

namespace fs = std::filesystem;
using Steps = std::vector<std::uint64_t>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class LoopTest : public testing::Test {
 protected:
  LoopResult go(Resume resume = Resume::kNo) { return run(problem_, settings_, folder_, resume, reporter_); }
  LoopResult go_again(Resume resume = Resume::kAuto) {
    problem_again_ = std::make_unique<test::FakeProblem>();
    reporter_ = {};
    return run(*problem_again_, settings_, folder_, resume, reporter_);
  }
  core::Json result() { return core::read_json(folder_.result()); }
  std::vector<core::Json> lines(const fs::path& file) {
    std::vector<core::Json> out;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) out.push_back(core::parse_json(line, file.string()));
    return out;
  }
  std::vector<std::string> events() {
    std::vector<std::string> out;
    for (const core::Json& event : lines(folder_.events())) out.push_back(event.at("event"));
    return out;
  }
  template <class ErrorType>
  std::string error_of(Resume resume, test::FakeProblem& problem) {
    try {
      run(problem, settings_, folder_, resume, reporter_);
    } catch (const ErrorType& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error of the expected kind";
    return {};
  }

  test::TemporaryFolder place_;
  core::RunFolder folder_{place_.path() / "runs" / "run"};
  LoopSettings settings_ = test::small_settings();
  test::FakeProblem problem_;
  std::unique_ptr<test::FakeProblem> problem_again_;
  test::RecordingReporter reporter_;
};

TEST_F(LoopTest, TrainsAndLeavesAllFiles) {
  const LoopResult done = go();
  EXPECT_EQ(done.steps_done, 60U);
  EXPECT_EQ(done.signal, 0);
  EXPECT_LT(done.best.loss, 0.97 * done.zero_shot.loss);
  EXPECT_GT(done.best_step, 0U);
  EXPECT_GT(done.seconds_per_step, 0);
  EXPECT_GT(done.peak_memory, 0U);
  EXPECT_EQ(done.model, folder_.model());
  EXPECT_EQ(problem_.loss_calls, 60U * 2);
  EXPECT_EQ(problem_.exports, 1);
  for (const auto& file : {folder_.config(), folder_.environment(), folder_.log(), folder_.events(), folder_.journal(),
                           folder_.best(), folder_.latest(), folder_.model(), folder_.result()}) {
    EXPECT_TRUE(fs::exists(file)) << file;
  }
  EXPECT_EQ(result().at("status"), "done");
  EXPECT_EQ(result().at("best").at("step"), done.best_step);
  EXPECT_EQ(result().at("zero_shot").at("loss"), done.zero_shot.loss);
  EXPECT_EQ(result().at("final").at("step"), 60);
  EXPECT_EQ(test::bytes_of(folder_.best()), checkpoint_name(done.best_step) + "\n");
  EXPECT_EQ(test::bytes_of(folder_.latest()), "step-000060\n");
  EXPECT_EQ(reporter_.steps.size(), 60U);
  EXPECT_EQ(reporter_.steps.back().step, 60U);
  EXPECT_EQ(reporter_.steps.back().seconds_left, 0);
  ASSERT_EQ(reporter_.evaluations.size(), 4U);
  EXPECT_EQ(reporter_.evaluations[0], std::pair(std::uint64_t{0}, true));
}

TEST_F(LoopTest, JournalHasChecksumsWhereTheSettingsSay) {
  go();
  Steps checksums;
  for (const JournalEntry& entry : read_journal(folder_.journal()).entries) {
    if (entry.checksum) checksums.push_back(entry.step);
  }
  Steps expected;
  for (std::uint64_t step = 1; step <= 60; ++step) {
    if (step % 5 == 0 || step % 8 == 0 || step % 20 == 0) expected.push_back(step);
  }
  EXPECT_EQ(checksums, expected);
}

TEST_F(LoopTest, LogHasOneRecordAStepWithAllFields) {
  go();
  Steps all;
  for (std::uint64_t step = 1; step <= 60; ++step) all.push_back(step);
  EXPECT_EQ(test::logged_steps(folder_, false), all);
  EXPECT_EQ(test::logged_steps(folder_, true), (Steps{0, 20, 40, 60}));
  const Journal journal = read_journal(folder_.journal());
  const auto log = lines(folder_.log());
  const core::Json& first = log.at(1);
  for (const char* key :
       {"current_steps",  "total_steps",    "loss",       "lr",           "epoch",     "percentage",
        "elapsed_time",   "remaining_time", "throughput", "total_tokens", "loss_plus", "loss_minus",
        "projected_grad", "d_applied",      "clipped",    "clip_share",   "seed",      "skipped_total",
        "nonfinite",      "d_rms",          "ms_forward", "ms_update"}) {
    EXPECT_TRUE(first.contains(key)) << key;
  }
  const zo::StepRecord& a = journal.entries[0].record;
  const zo::StepRecord& b = journal.entries[1].record;
  EXPECT_DOUBLE_EQ(first.at("projected_grad").get<double>(), (double{a.d_raw} + double{b.d_raw}) / 2);
  EXPECT_DOUBLE_EQ(first.at("loss_plus").get<double>(), (double{a.loss_plus} + double{b.loss_plus}) / 2);
  EXPECT_FLOAT_EQ(first.at("lr").get<float>(), 4e-4F);
  std::int64_t longest = 0;  // of the batches of the first epoch: it comes first
  const data::BatchOrder order(23, 4, 5);
  for (std::uint64_t step = 0; step < 5; ++step) {
    std::int64_t tokens = 0;
    for (const std::int64_t example : order.batch(step)) tokens += problem_.train_lengths().at(example);
    longest = std::max(longest, tokens);
  }
  EXPECT_EQ(first.at("total_tokens"), longest);
  for (const char* key : {"eval_loss", "eval_accuracy", "eval_accuracy_se", "eval_auc"}) {
    EXPECT_TRUE(log.front().contains(key)) << key;
  }
  EXPECT_EQ(log.front().at("eval_auc"), "nan") << "a NaN is shown, not hidden";
}

TEST_F(LoopTest, LogEveryThinsRecordsAndKeepsTheLast) {
  settings_.log_every = 25;
  go();
  EXPECT_EQ(test::logged_steps(folder_, false), (Steps{25, 50, 60}));
  EXPECT_EQ(reporter_.steps.size(), 3U);
}

TEST_F(LoopTest, EvaluatesOnlyAtBothEndsIfTheIntervalIsZero) {
  settings_.eval_every = 0;
  go();
  EXPECT_EQ(problem_.evaluations, 2);
  EXPECT_EQ(test::logged_steps(folder_, true), (Steps{0, 60}));
}

TEST_F(LoopTest, ExportsTheBaseIfTrainingMadeItWorse) {
  problem_.worse_by_training = true;
  test::FakeProblem base;
  base.export_model(place_.path() / "base");
  const LoopResult done = go();
  EXPECT_EQ(done.best_step, 0U);
  EXPECT_EQ(test::bytes_of(folder_.model() / "model.bin"), test::bytes_of(place_.path() / "base" / "model.bin"));
  EXPECT_EQ(test::bytes_of(folder_.best()), "step-000000\n");
  EXPECT_TRUE(reporter_.said("equals the base checkpoint"));
  EXPECT_EQ(list_checkpoints(folder_), (Steps{0, 56, 60})) << "the best stays beside the newest two";
}

TEST_F(LoopTest, BestMayBeChosenByAccuracy) {
  settings_.best_metric = "accuracy";
  problem_.worse_by_training = true;  // of the loss only
  const LoopResult done = go();
  EXPECT_GT(done.best_step, 0U);
  EXPECT_GT(done.best.accuracy, done.zero_shot.accuracy);
}

TEST_F(LoopTest, ModelIsThatOfTheBestCheckpoint) {
  settings_.steps = 61;
  settings_.eval_every = 60;
  problem_.on_loss = [](std::uint64_t call, zo::LossPair& losses) {
    if (call / 2 == 60) losses = {1, 2};  // the last step goes astray
  };
  settings_.zo.clip.reset();
  const LoopResult done = go();
  EXPECT_EQ(done.best_step, 60U);
  test::FakeProblem best;
  load_checkpoint(folder_, 60, best.tensors());
  best.export_model(place_.path() / "best");
  EXPECT_EQ(test::bytes_of(folder_.model() / "model.bin"), test::bytes_of(place_.path() / "best" / "model.bin"));
  EXPECT_EQ(zo::scales_checksum(problem_.tensors()), zo::scales_checksum(best.tensors()));
}

TEST_F(LoopTest, RefusesAFolderThatIsInUse) {
  go();
  const std::string journal = test::bytes_of(folder_.journal());
  test::FakeProblem other;
  EXPECT_NE(error_of<core::UserError>(Resume::kNo, other).find("--resume auto"), std::string::npos);
  EXPECT_EQ(test::bytes_of(folder_.journal()), journal);
}

TEST_F(LoopTest, AutoStartsWhereThereIsNoRunButNotAmongForeignFiles) {
  fs::create_directories(folder_.checkpoints());  // killed before the journal existed
  test::write_bytes(folder_.config(), "{");
  EXPECT_EQ(go(Resume::kAuto).steps_done, 60U);

  const core::RunFolder foreign{place_.path() / "photos"};
  fs::create_directories(foreign.root);
  test::write_bytes(foreign.root / "holiday.jpg", "x");
  test::FakeProblem problem;
  EXPECT_THROW(run(problem, settings_, foreign, Resume::kAuto, reporter_), core::UserError);
  EXPECT_FALSE(fs::exists(foreign.journal()));
}

TEST_F(LoopTest, SaysWhatDiffersFromTheRunThatIsThere) {
  settings_.steps = 10;
  go();
  const std::string journal = test::bytes_of(folder_.journal());
  {
    test::FakeProblem other;
    other.base_hash_ = 78;
    EXPECT_NE(error_of<core::UserError>(Resume::kAuto, other).find("base checkpoint"), std::string::npos);
  }
  {
    test::FakeProblem other;
    other.tensors()[0].id = 1;
    EXPECT_NE(error_of<core::UserError>(Resume::kAuto, other).find("other tensors"), std::string::npos);
  }
  for (const auto& change : std::vector<std::function<void(LoopSettings&)>>{
           [](LoopSettings& s) { s.config_hash = 12; }, [](LoopSettings& s) { s.zo.seed = 6; },
           [](LoopSettings& s) { s.zo.directions = 1; }, [](LoopSettings& s) { s.zo.floor = 1e-6; },
           [](LoopSettings& s) { s.zo.eps_mode = kernels::EpsMode::kRelative; }}) {
    settings_ = test::small_settings();
    settings_.steps = 10;
    change(settings_);
    test::FakeProblem other;
    EXPECT_NE(error_of<core::UserError>(Resume::kAuto, other).find("settings"), std::string::npos);
  }
  settings_ = test::small_settings();
  settings_.steps = 9;
  test::FakeProblem other;
  EXPECT_NE(error_of<core::UserError>(Resume::kAuto, other).find("train.steps"), std::string::npos);
  EXPECT_EQ(test::bytes_of(folder_.journal()), journal);
}

TEST_F(LoopTest, AFinishedRunIsNotRepeated) {
  const LoopResult first = go();
  const auto before = test::lasting_bytes(folder_);
  const LoopResult again = go_again();
  EXPECT_EQ(problem_again_->loss_calls, 0U);
  EXPECT_EQ(problem_again_->evaluations, 0);
  EXPECT_EQ(problem_again_->exports, 0);
  EXPECT_TRUE(reporter_.said("finished already"));
  EXPECT_EQ(again.steps_done, 60U);
  EXPECT_EQ(again.best_step, first.best_step);
  EXPECT_EQ(again.best.loss, first.best.loss);
  EXPECT_TRUE(std::isnan(again.best.auc));
  EXPECT_EQ(again.model, folder_.model());
  EXPECT_EQ(zo::scales_checksum(problem_again_->tensors()), zo::scales_checksum(problem_.tensors()));
  EXPECT_EQ(test::lasting_bytes(folder_), before);
}

TEST_F(LoopTest, AFinishedRunWritesAMissingModelAgain) {
  go();
  const auto before = test::lasting_bytes(folder_);
  fs::remove_all(folder_.model());
  go_again();
  EXPECT_EQ(problem_again_->loss_calls, 0U);
  EXPECT_EQ(problem_again_->exports, 1);
  EXPECT_EQ(test::lasting_bytes(folder_), before);

  // Even from the journal alone.
  fs::remove_all(folder_.model());
  fs::remove_all(folder_.checkpoints());
  go_again();
  EXPECT_EQ(problem_again_->loss_calls, 0U);
  EXPECT_EQ(test::bytes_of(folder_.model() / "model.bin"), before.at("model"));
}

TEST_F(LoopTest, ARunCanBeMadeLonger) {
  settings_.steps = 30;
  go();
  settings_.steps = 60;
  const LoopResult longer = go_again();
  EXPECT_EQ(longer.steps_done, 60U);
  EXPECT_EQ(problem_again_->loss_calls, 30U * 2);
  Steps all;
  for (std::uint64_t step = 1; step <= 60; ++step) all.push_back(step);
  EXPECT_EQ(test::logged_steps(folder_, false), all);
}

TEST_F(LoopTest, GuardStopsAfterSkippedStepsInARow) {
  settings_.nonfinite_limit = 4;
  settings_.zo.clip.reset();
  std::uint64_t checksum = 0;
  problem_.on_loss = [&](std::uint64_t call, zo::LossPair& losses) {
    if (call / 2 >= 21) losses.plus = kNan;
    if (call / 2 == 10) losses.minus = std::numeric_limits<double>::infinity();  // alone: no reason to stop
    if (call == 42) checksum = zo::scales_checksum(problem_.tensors());
  };
  const std::string message = error_of<core::GuardError>(Resume::kNo, problem_);
  EXPECT_NE(message.find("4 steps in a row (first at step 22, L+ = nan"), std::string::npos) << message;
  EXPECT_NE(message.find("step-000024 is intact"), std::string::npos) << message;
  EXPECT_NE(message.find("zo.clip is off"), std::string::npos) << message;
  EXPECT_EQ(zo::scales_checksum(problem_.tensors()), checksum) << "skipped steps change nothing";
  EXPECT_EQ(result().at("status"), "stopped");
  EXPECT_EQ(result().at("skipped"), 5);
  EXPECT_EQ(result().at("exit_reason"), message);
  EXPECT_EQ(lines(folder_.log()).back().at("loss_plus"), "nan");
  EXPECT_EQ(lines(folder_.log()).back().at("nonfinite"), true);
  const auto names = events();
  EXPECT_EQ(std::ranges::count(names, "skip"), 5);
  EXPECT_EQ(std::ranges::count(names, "guard"), 1);

  // It stays stopped, without another step; with more patience it goes on.
  test::FakeProblem again;
  EXPECT_EQ(error_of<core::GuardError>(Resume::kAuto, again), message);
  EXPECT_EQ(again.loss_calls, 0U);
  settings_.nonfinite_limit = 5;
  EXPECT_EQ(go_again().steps_done, 60U);
  EXPECT_EQ(result().at("status"), "done");
  EXPECT_EQ(result().at("skipped"), 5);
}

TEST_F(LoopTest, StopSignalsFinishTheStepAndSave) {
  const auto reference_folder = core::RunFolder{place_.path() / "reference"};
  test::run_fresh(settings_, reference_folder);
  for (const int signal : {SIGINT, SIGTERM}) {
    folder_.root = place_.path() / ("signal" + std::to_string(signal));
    test::FakeProblem problem;
    problem.on_loss = [&](std::uint64_t call, zo::LossPair&) {
      if (call == 2 * 22) std::raise(signal);  // first direction of step 23
    };
    const LoopResult stopped = run(problem, settings_, folder_, Resume::kNo, reporter_);
    EXPECT_EQ(stopped.signal, signal);
    EXPECT_EQ(stopped.steps_done, 23U);
    EXPECT_TRUE(stopped.model.empty());
    EXPECT_FALSE(fs::exists(folder_.model()));
    EXPECT_EQ(list_checkpoints(folder_).back(), 23U);
    EXPECT_EQ(result().at("status"), "interrupted");
    EXPECT_EQ(events().back(), "signal");
    EXPECT_EQ(go_again().steps_done, 60U);
    EXPECT_EQ(problem_again_->loss_calls, 37U * 2);
    EXPECT_EQ(test::lasting_bytes(folder_), test::lasting_bytes(reference_folder));
  }
}

TEST_F(LoopTest, AStopSignalEndsAnEvaluationEarlyWithoutLosingIt) {
  const auto reference_folder = core::RunFolder{place_.path() / "reference"};
  test::run_fresh(settings_, reference_folder);
  for (const int evaluation : {1, 2, 4}) {  // before the first step, at step 20, after the last
    folder_.root = place_.path() / ("evaluation" + std::to_string(evaluation));
    test::FakeProblem problem;
    problem.on_evaluate = [&] {
      if (problem.evaluations == evaluation) std::raise(SIGTERM);
    };
    const LoopResult stopped = run(problem, settings_, folder_, Resume::kNo, reporter_);
    EXPECT_EQ(stopped.signal, SIGTERM);
    EXPECT_EQ(stopped.steps_done, 20U * static_cast<unsigned>(evaluation - 1));
    EXPECT_EQ(go_again().steps_done, 60U);
    EXPECT_EQ(problem_again_->evaluations, 5 - evaluation);
    EXPECT_EQ(test::lasting_bytes(folder_), test::lasting_bytes(reference_folder)) << evaluation;
    EXPECT_EQ(test::logged_steps(folder_, true), (Steps{0, 20, 40, 60}));
  }
}

TEST_F(LoopTest, TheSecondStopSignalEndsAtOnce) {
  const pid_t child = test::fork_child([&] {
    problem_.on_loss = [](std::uint64_t call, zo::LossPair&) {
      if (call == 6) std::raise(SIGTERM);
      if (call == 7) std::raise(SIGINT);
    };
    go();
    return 0;
  });
  EXPECT_EQ(test::wait_for(child), 128 + SIGINT);
}

TEST_F(LoopTest, HandlersComeBackAfterTheRun) {
  static volatile std::sig_atomic_t seen = 0;
  const auto previous = std::signal(SIGTERM, [](int) { seen = 1; });
  go();
  std::raise(SIGTERM);
  EXPECT_EQ(seen, 1);
  std::signal(SIGTERM, previous);
}

TEST_F(LoopTest, ACheckpointOnRequestChangesNothingElse) {
  const auto reference_folder = core::RunFolder{place_.path() / "reference"};
  test::run_fresh(settings_, reference_folder);
  bool there_by_signal = false;
  bool there_by_file = false;
  problem_.on_loss = [&](std::uint64_t call, zo::LossPair&) {
    if (call == 2 * 10) std::raise(SIGUSR1);
    if (call == 2 * 11) there_by_signal = fs::exists(checkpoint_path(folder_, 11));
    if (call == 2 * 12) test::write_bytes(folder_.root / "CHECKPOINT_NOW", "");
    if (call == 2 * 13) there_by_file = fs::exists(checkpoint_path(folder_, 13));
  };
  EXPECT_EQ(go().steps_done, 60U);
  EXPECT_TRUE(there_by_signal);
  EXPECT_TRUE(there_by_file);
  EXPECT_FALSE(fs::exists(folder_.root / "CHECKPOINT_NOW"));
  EXPECT_TRUE(reporter_.said("step-000011"));
  EXPECT_EQ(test::lasting_bytes(folder_), test::lasting_bytes(reference_folder));
}

TEST_F(LoopTest, ASecondProcessCannotWriteTheSameRun) {
  problem_.on_loss = [&](std::uint64_t call, zo::LossPair&) {
    if (call != 10) return;
    test::FakeProblem other;
    test::RecordingReporter silent;
    EXPECT_THROW(run(other, settings_, folder_, Resume::kAuto, silent), core::UserError);
  };
  EXPECT_EQ(go().steps_done, 60U);
}

}  // namespace
}  // namespace qzo::train
