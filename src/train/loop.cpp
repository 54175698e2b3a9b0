#include "qzo/train/loop.h"

#include <system_error>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/train/checkpoint.h"

#include "train/result.h"
#include "train/training_run.h"
#include "train/zeroth_order.h"

namespace qzo::train {

using core::text;

LoopResult TrainingRun::run() {
  reporter_.on_message(opening_);
  event(resumed_ ? "resume" : "start", opening_);
  try {
    // Steps that cannot be replayed are taken again where their checkpoint is gone.
    const bool all_there = !past_.header.first_order || state_.steps_done == settings_.steps;
    if (const auto finished = read_finished_result(folder_, settings_.steps); finished && resumed_ && all_there) {
      return finish_again(*finished);
    }
    return run_to_end();
  } catch (const core::Error& error) {
    note_failure(error);
    throw;
  }
}

// The disk may be full as well; the error itself must come through.
void TrainingRun::note_failure(const core::Error& error) {
  const bool guard = error.code() == core::ExitCode::kGuard;
  try {
    event(guard ? "guard" : "error", error.what());
    if (guard) write_result(folder_, state_, settings_, "stopped", error.what(), method_.content().optimizer);
  } catch (const core::EnvironmentError& second) {
    reporter_.on_message(text("The end of the run could not be noted: ", second.what()));
  }
}

LoopResult TrainingRun::run_to_end() {
  std::filesystem::remove(folder_.result());
  if (settings_.tensorboard) tensorboard_.emplace(folder_.root, resumed_ ? log_.last_step() + 1 : 0);
  if (resumed_) tidy_checkpoints();
  take_steps();
  if (stopping_) {
    LoopResult result = make_result(state_);
    result.signal = signals_.stop_requested();
    const std::string reason = text(result.signal == SIGINT ? "SIGINT" : "SIGTERM", ": saved after step ",
                                    state_.steps_done, "; --resume auto goes on.");
    reporter_.on_message(reason);
    event("signal", reason);
    write_result(folder_, state_, settings_, "interrupted", reason, method_.content().optimizer);
    return result;
  }
  journal_.sync();
  export_best(state_.best_step);
  write_result(folder_, state_, settings_, "done", "all steps done", method_.content().optimizer);
  LoopResult result = make_result(state_);
  result.model = folder_.model();
  return result;
}

void TrainingRun::tidy_checkpoints() {
  discard_checkpoints_after(folder_, state_.steps_done);
  if (!saved_) return;
  write_pointers();
  retain_checkpoints(folder_, settings_.keep_last, best_of_kept());
}

LoopResult TrainingRun::finish_again(LoopResult result) {
  const bool there = std::filesystem::exists(folder_.model()) && !std::filesystem::is_empty(folder_.model());
  if (there) {
    restore_best(result.best_step);
    reporter_.on_message(text("The run is finished already: all ", result.steps_done, " steps are done, the model is ",
                              folder_.model().string(), "."));
  } else {
    export_best(result.best_step);
  }
  result.model = folder_.model();
  return result;
}

void TrainingRun::export_best(std::uint64_t best_step) {
  if (best_step == 0) {
    reporter_.on_message(
        "No evaluation was better than the one before the first step: the exported model equals the base checkpoint.");
  }
  restore_best(best_step);
  problem_.export_model(folder_.model());
  event("export", text(folder_.model().string(), " is the model after step ", best_step));
}

void TrainingRun::restore_best(std::uint64_t best_step) {
  if (state_.steps_done == best_step) return;
  try {
    load_checkpoint(folder_, best_step, method_.content());
    method_.loaded();
  } catch (const core::UserError& error) {
    // A finished run whose checkpoints were deleted: the journal rebuilds the model from the base.
    if (state_.steps_done > best_step || past_.header.first_order) {
      throw core::UserError(
          text("the best checkpoint cannot be read any more: ", error.what(), ". --resume auto makes it again"));
    }
    replay_until(best_step);
  }
}

void TrainingRun::replay_until(std::uint64_t step) {
  for (const JournalEntry& entry : past_.entries) {
    if (entry.checksum || entry.record.step < state_.steps_done || entry.record.step >= step) continue;
    method_.replay(std::span(&entry.record, 1));
  }
}

LoopResult run(Method& method, const LoopSettings& settings, const core::RunFolder& folder, Resume resume,
               Reporter& reporter) {
  QZO_CHECK(settings.zo.directions >= 1 && settings.zo.directions <= 256, "directions ", settings.zo.directions);
  QZO_CHECK(settings.batch_size >= 1 && settings.nonfinite_limit >= 1);
  QZO_CHECK(settings.best_metric == "loss" || settings.best_metric == "accuracy", settings.best_metric);
  return TrainingRun(method, settings, folder, reporter, open_run(method, settings, folder, resume, reporter)).run();
}

LoopResult run(ScaleProblem& problem, const LoopSettings& settings, const core::RunFolder& folder, Resume resume,
               Reporter& reporter) {
  ZerothOrder method(problem, settings.zo);
  return run(method, settings, folder, resume, reporter);
}

}  // namespace qzo::train
