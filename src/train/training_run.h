#pragma once
// One run, from where it was opened to its end. Every step passes the same boundary (checksum, guard, evaluation,
// checkpoint, signals), whether it was computed now or replayed from the journal: so a resumed run does exactly what an
// uninterrupted one would have done.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/run_folder.h"
#include "qzo/data/sampler.h"
#include "qzo/train/loop.h"

#include "train/log_writer.h"
#include "train/progress.h"
#include "train/resume.h"
#include "train/stop_signal.h"
#include "train/tensorboard.h"

namespace qzo::train {

class TrainingRun {
 public:
  TrainingRun(Method& method, const LoopSettings& settings, const core::RunFolder& folder, Reporter& reporter,
              OpenedRun opened);

  LoopResult run();

 private:
  void take_steps();
  std::vector<zo::StepRecord> replay_step();
  std::vector<zo::StepRecord> compute_step(std::span<const std::int64_t> batch, StepTiming& timing);
  // `timing`: of a computed step.
  void log_step(std::span<const zo::StepRecord> records, std::optional<StepTiming> timing);
  void report_step(const StepSummary& summary, const StepTiming& timing);

  bool verify_past_checksum();  // false if the journal has none here
  void append_checksum_if_due();

  // What happens between two steps.
  void pass_boundary();
  void check_guard();
  bool evaluate_if_due();  // true if there is a new best model
  bool take_checkpoint_request();
  void save();
  [[nodiscard]] std::vector<std::uint64_t> best_of_kept() const;
  void write_pointers();
  // What a process that was killed between a checkpoint and its pointers or its retention did not come to.
  void tidy_checkpoints();

  LoopResult run_to_end();
  void note_failure(const core::Error& error);
  LoopResult finish_again(LoopResult result);  // the run was done before this process began
  void export_best(std::uint64_t best_step);
  void restore_best(std::uint64_t best_step);
  void replay_until(std::uint64_t step);
  void event(std::string_view what, const std::string& message) { log_.event(what, state_.steps_done, message); }

  [[nodiscard]] bool replaying() const { return next_entry_ < past_.entries.size(); }
  [[nodiscard]] double elapsed() const;
  [[nodiscard]] std::uint64_t evaluations_left() const;

  Method& method_;
  Problem& problem_;
  const LoopSettings& settings_;
  const core::RunFolder& folder_;
  Reporter& reporter_;

  StopSignal signals_;
  Journal past_;  // as it was opened
  std::size_t next_entry_;
  JournalWriter journal_;
  LoopState state_;
  bool resumed_;
  bool stopping_ = false;  // a stop signal was seen at the last boundary, and the state was saved
  std::string opening_;
  // Step and evaluation that the newest checkpoint holds.
  std::optional<std::pair<std::uint64_t, std::optional<std::uint64_t>>> saved_;
  LogWriter log_;
  std::optional<TensorboardWriter> tensorboard_;
  Progress progress_;
  std::vector<std::int64_t> lengths_;
  data::BatchOrder order_;
  double elapsed_before_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace qzo::train
