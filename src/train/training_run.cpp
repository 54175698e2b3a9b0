#include "train/training_run.h"

#include <algorithm>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"
#include "qzo/train/checkpoint.h"

#include "train/evaluation.h"
#include "train/journal_codec.h"

namespace qzo::train {
namespace {

using core::text;
using Clock = std::chrono::steady_clock;

constexpr const char* kCheckpointFile = "CHECKPOINT_NOW";

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

bool every(std::uint64_t interval, std::uint64_t step) { return interval != 0 && step != 0 && step % interval == 0; }

std::vector<std::int64_t> order_lengths(const std::vector<std::int64_t>& lengths, const LoopSettings& settings) {
  return settings.longest_first ? lengths : std::vector<std::int64_t>{};
}

std::uint64_t sum_of(const std::vector<std::int64_t>& lengths, std::span<const std::int64_t> batch) {
  std::int64_t sum = 0;
  for (const std::int64_t example : batch) sum += lengths.at(static_cast<std::size_t>(example));
  return static_cast<std::uint64_t>(sum);
}

Scalars step_scalars(const LoopSettings& settings, const StepSummary& summary, const LoopState& state) {
  return {{"train/loss", summary.loss},
          {settings.first_order ? "train/grad_norm" : "train/projected_grad", summary.d_raw},
          {"train/lr", summary.lr},
          {"train/clip_share", state.clip_share()},
          {settings.first_order ? "train/grad_norm_rms" : "train/d_rms", state.d_rms()},
          {"train/skipped_total", static_cast<double>(state.skipped)}};
}

std::string what_was_not_finite(const LoopSettings& settings, const StepSummary& summary) {
  if (settings.first_order) return text("loss = ", summary.loss, ", norm of the gradient = ", summary.d_raw);
  return text("L+ = ", summary.loss_plus, ", L- = ", summary.loss_minus);
}

}  // namespace

TrainingRun::TrainingRun(Method& method, const LoopSettings& settings, const core::RunFolder& folder,
                         Reporter& reporter, OpenedRun opened)
    : method_(method),
      problem_(method.problem()),
      settings_(settings),
      folder_(folder),
      reporter_(reporter),
      past_(std::move(opened.journal)),
      next_entry_(next_entry(opened.state)),
      journal_(std::move(opened.writer)),
      state_(opened.state),
      resumed_(opened.resumed),
      opening_(std::move(opened.message)),
      log_(folder, whole_steps(past_).steps),
      lengths_(problem_.train_lengths()),
      order_(std::ssize(lengths_), settings.batch_size, settings.zo.seed, order_lengths(lengths_, settings)),
      elapsed_before_(log_.last_elapsed()) {
  if (opened.from_checkpoint) saved_ = std::pair(state_.steps_done, state_.evaluated_step);
}

void TrainingRun::take_steps() {
  verify_past_checksum();
  pass_boundary();
  while (state_.steps_done < settings_.steps && !stopping_) {
    const std::vector<std::int64_t> batch = order_.batch(state_.steps_done);
    const std::uint64_t tokens = sum_of(lengths_, batch);
    std::optional<StepTiming> timing;
    std::vector<zo::StepRecord> records;
    if (replaying()) {
      records = replay_step();
    } else {
      timing.emplace();
      records = compute_step(batch, *timing);
      progress_.step((timing->ms_forward + timing->ms_update) / 1000, tokens);
    }
    state_.journal_bytes += records.size() * kRecordBytes;
    state_.count(records, tokens);
    log_step(records, timing);
    if (!verify_past_checksum() && !replaying()) append_checksum_if_due();
    pass_boundary();
  }
}

std::vector<zo::StepRecord> TrainingRun::replay_step() {
  std::vector<zo::StepRecord> records;
  for (std::uint32_t i = 0; i < past_.header.directions; ++i) {
    const JournalEntry& entry = past_.entries.at(next_entry_++);
    QZO_CHECK(!entry.checksum && entry.record.step == state_.steps_done, "step ", state_.steps_done, " of the journal");
    records.push_back(entry.record);
  }
  method_.replay(records);
  return records;
}

std::vector<zo::StepRecord> TrainingRun::compute_step(std::span<const std::int64_t> batch, StepTiming& timing) {
  const auto begin = Clock::now();
  // Journal first: what it holds is what happened, and if the disk is full nothing has moved.
  const auto journal = [&](std::span<const zo::StepRecord> records) { journal_.append(records); };
  const double lr =
      zo::learning_rate(settings_.schedule, settings_.lr, settings_.warmup, settings_.steps, state_.steps_done);
  Method::Step step = method_.step(state_.steps_done, lr, batch, journal);
  const double seconds = seconds_since(begin);
  state_.step_seconds += seconds;
  ++state_.timed_steps;
  timing.ms_forward = 1000 * step.forward_seconds;
  timing.ms_update = 1000 * (seconds - step.forward_seconds);
  return std::move(step.records);
}

void TrainingRun::log_step(std::span<const zo::StepRecord> records, std::optional<StepTiming> timing) {
  const StepSummary summary(records);
  const std::uint64_t step = state_.steps_done;
  if (timing) {
    timing->elapsed = elapsed();
    timing->remaining = progress_.seconds_left(settings_.steps - step, evaluations_left());
    timing->tokens_per_second = progress_.tokens_per_second();
    if (summary.skipped) {
      event("skip", text("step ", step, " changed nothing: ", what_was_not_finite(settings_, summary)));
    }
  }
  if (step % std::max<std::uint64_t>(settings_.log_every, 1) != 0 && step != settings_.steps) return;
  if (step > log_.last_step()) {
    const double epoch =
        static_cast<double>(step) * static_cast<double>(settings_.batch_size) / static_cast<double>(lengths_.size());
    log_.step(settings_, state_, epoch, summary, timing);
    if (tensorboard_) tensorboard_->add(step, step_scalars(settings_, summary, state_));
  }
  if (timing) report_step(summary, *timing);
}

void TrainingRun::report_step(const StepSummary& summary, const StepTiming& timing) {
  StepProgress progress;
  progress.step = state_.steps_done;
  progress.steps = settings_.steps;
  progress.loss = summary.loss;
  progress.d = summary.d_raw;
  progress.lr = summary.lr;
  if (state_.last) {
    progress.dev_loss = state_.last->loss;
    progress.dev_accuracy = state_.last->accuracy;
  }
  progress.clip_share = state_.clip_share();
  progress.skipped = state_.skipped;
  progress.steps_per_second = progress_.steps_per_second();
  progress.tokens_per_second = timing.tokens_per_second;
  progress.seconds_left = timing.remaining;
  reporter_.on_step(progress);
}

double TrainingRun::elapsed() const { return elapsed_before_ + seconds_since(begin_); }

std::uint64_t TrainingRun::evaluations_left() const {
  const std::uint64_t interval = settings_.eval_every;
  if (interval == 0) return 1;
  return settings_.steps / interval - state_.steps_done / interval + (settings_.steps % interval != 0 ? 1 : 0);
}

void TrainingRun::pass_boundary() {
  check_guard();
  const bool new_best = evaluate_if_due();
  const std::uint64_t step = state_.steps_done;
  const bool regular = every(settings_.save_every, step) || step == settings_.steps;
  const bool requested = take_checkpoint_request();
  stopping_ = signals_.stop_requested() != 0;
  const bool unsaved = saved_ != std::pair(step, state_.evaluated_step);
  if (unsaved && (new_best || regular || requested || stopping_)) save();
  if (requested) {
    reporter_.on_message(text("Saved ", checkpoint_name(step), ", as asked for."));
    std::filesystem::remove(folder_.root / kCheckpointFile);
  }
}

bool TrainingRun::verify_past_checksum() {
  const std::size_t before = next_entry_;
  for (; replaying() && past_.entries[next_entry_].checksum; ++next_entry_) {
    verify_checksum(past_.entries[next_entry_], content_checksum(method_.content()));
    state_.journal_bytes += kRecordBytes;
  }
  return next_entry_ != before;
}

// Checksums stand at steps that follow from the settings alone, so that every way to the same step, however often
// interrupted, gives the same journal.
void TrainingRun::append_checksum_if_due() {
  const std::uint64_t step = state_.steps_done;
  const bool due = every(settings_.sync_every, step) || every(settings_.save_every, step) ||
                   every(settings_.eval_every, step) || step == settings_.steps;
  if (!due) return;
  journal_.append_checksum(step, content_checksum(method_.content()));
  state_.journal_bytes += kRecordBytes;
  QZO_CHECK(state_.journal_bytes == journal_.bytes(), state_.journal_bytes, " bytes of ", journal_.bytes());
  if (every(settings_.sync_every, step)) journal_.sync();
}

void TrainingRun::check_guard() {
  if (state_.skipped_in_row < static_cast<std::uint64_t>(settings_.nonfinite_limit)) return;
  const std::vector<std::uint64_t> saved = list_checkpoints(folder_);
  const std::string kept = saved.empty() ? std::string("No checkpoint was saved yet")
                                         : "Checkpoint " + checkpoint_name(saved.back()) + " is intact";
  const std::string first = text(" steps in a row (first at step ", state_.first_skipped + 1);
  if (settings_.first_order) {
    throw core::GuardError(text("the loss or its gradient was not finite for ", state_.skipped_in_row, first,
                                ", loss = ", state_.first_skipped_plus, "). ", kept,
                                ". Lower train.lr, or look at the data with --dry-run."));
  }
  throw core::GuardError(text("the loss was not finite for ", state_.skipped_in_row, first, ", L+ = ",
                              state_.first_skipped_plus, ", L- = ", state_.first_skipped_minus, "). ", kept, ". ",
                              settings_.zo.clip ? "Lower train.lr or zo.eps, or look at the data with --dry-run."
                                                : "zo.clip is off; the published setting is 100."));
}

bool TrainingRun::evaluate_if_due() {
  const std::uint64_t step = state_.steps_done;
  const bool due = step == 0 || step == settings_.steps || every(settings_.eval_every, step);
  if (!due || state_.evaluated_step == step) return false;
  const auto begin = Clock::now();
  const auto metrics = evaluate(problem_, step, reporter_, signals_);
  if (!metrics) return false;
  progress_.evaluation(seconds_since(begin));
  if (step == 0) state_.zero_shot = metrics;
  const bool best = !state_.best || is_better(settings_.best_metric, *metrics, *state_.best);
  if (best) {
    state_.best = metrics;
    state_.best_step = step;
  }
  state_.last = metrics;
  state_.evaluated_step = step;
  if (!log_.has_evaluation(step)) {
    log_.evaluation(settings_, step, *metrics, best, elapsed());
    if (tensorboard_) tensorboard_->add(step, {{"dev/loss", metrics->loss}, {"dev/accuracy", metrics->accuracy}});
  }
  reporter_.on_evaluation(step, *metrics, best);
  return best;
}

bool TrainingRun::take_checkpoint_request() {
  const bool by_signal = signals_.take_checkpoint_request();
  return std::filesystem::exists(folder_.root / kCheckpointFile) || by_signal;
}

void TrainingRun::save() {
  journal_.sync();
  log_.sync();
  save_checkpoint(folder_, to_checkpoint(state_), method_.content());
  saved_ = std::pair(state_.steps_done, state_.evaluated_step);
  write_pointers();
  retain_checkpoints(folder_, settings_.keep_last, best_of_kept());
  event("checkpoint", checkpoint_name(state_.steps_done));
}

// A checkpoint can only be gone back to together with the best one of its time.
std::vector<std::uint64_t> TrainingRun::best_of_kept() const {
  std::vector<std::uint64_t> best = {state_.best_step};
  std::vector<std::uint64_t> steps = list_checkpoints(folder_);
  for (int i = 0; i < settings_.keep_last && !steps.empty(); ++i, steps.pop_back()) {
    try {
      best.push_back(from_checkpoint(read_checkpoint_state(folder_, steps.back()), "state.json").best_step);
    } catch (const core::UserError&) {
      // Damaged behind our back: it is passed over when it is needed, and said then.
    }
  }
  return best;
}

void TrainingRun::write_pointers() {
  if (state_.best) core::write_file_atomically(folder_.best(), checkpoint_name(state_.best_step) + "\n");
  if (saved_) core::write_file_atomically(folder_.latest(), checkpoint_name(saved_->first) + "\n");
}

}  // namespace qzo::train
