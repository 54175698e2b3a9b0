#include "train/loop_state.h"

#include <cmath>

#include "qzo/core/check.h"
#include "qzo/train/json_values.h"

namespace qzo::train {
namespace {

core::Json optional_metrics(const std::optional<tasks::Metrics>& metrics) {
  return metrics ? metrics_json(*metrics) : core::Json(nullptr);
}

double share(double part, std::uint64_t whole) { return whole == 0 ? 0 : part / static_cast<double>(whole); }

}  // namespace

void LoopState::count(std::span<const zo::StepRecord> step, std::uint64_t step_tokens) {
  QZO_CHECK(!step.empty() && step.front().step == steps_done, "step ", steps_done, " expected");
  const zo::StepRecord& first = step.front();
  if (first.skipped) {
    if (skipped_in_row == 0) {
      first_skipped = first.step;
      for (const zo::StepRecord& record : step) {
        first_skipped_plus = double{record.loss_plus};
        first_skipped_minus = double{record.loss_minus};
        if (!std::isfinite(first_skipped_plus) || !std::isfinite(first_skipped_minus)) break;
      }
    }
    ++skipped;
    ++skipped_in_row;
  } else {
    skipped_in_row = 0;
    for (const zo::StepRecord& record : step) {
      ++probes;
      clipped += record.clipped ? 1 : 0;
      d_squares += double{record.d_raw} * double{record.d_raw};
    }
  }
  tokens += step_tokens;
  ++steps_done;
}

double LoopState::clip_share() const { return share(static_cast<double>(clipped), probes); }
double LoopState::d_rms() const { return std::sqrt(share(d_squares, probes)); }
double LoopState::seconds_per_step() const { return share(step_seconds, timed_steps); }

CheckpointState to_checkpoint(const LoopState& state) {
  core::Json counters;
  counters["zero_shot"] = optional_metrics(state.zero_shot);
  counters["last"] = optional_metrics(state.last);
  counters["best"] = optional_metrics(state.best);
  counters["evaluated_step"] = state.evaluated_step ? core::Json(*state.evaluated_step) : core::Json(nullptr);
  counters["best_step"] = state.best_step;
  counters["skipped"] = state.skipped;
  counters["skipped_in_row"] = state.skipped_in_row;
  counters["first_skipped"] = state.first_skipped;
  counters["first_skipped_plus"] = number_json(state.first_skipped_plus);
  counters["first_skipped_minus"] = number_json(state.first_skipped_minus);
  counters["probes"] = state.probes;
  counters["clipped"] = state.clipped;
  counters["d_squares"] = number_json(state.d_squares);
  counters["tokens"] = state.tokens;
  counters["step_seconds"] = number_json(state.step_seconds);
  counters["timed_steps"] = state.timed_steps;
  return {.steps_done = state.steps_done, .journal_bytes = state.journal_bytes, .counters = std::move(counters)};
}

LoopState from_checkpoint(const CheckpointState& checkpoint, const std::string& source) {
  const core::Json& counters = checkpoint.counters;
  LoopState state;
  state.steps_done = checkpoint.steps_done;
  state.journal_bytes = checkpoint.journal_bytes;
  state.zero_shot = read_optional_metrics(counters, "zero_shot", source);
  state.last = read_optional_metrics(counters, "last", source);
  state.best = read_optional_metrics(counters, "best", source);
  state.evaluated_step = read_optional_count(counters, "evaluated_step", source);
  state.best_step = read_count(counters, "best_step", source);
  state.skipped = read_count(counters, "skipped", source);
  state.skipped_in_row = read_count(counters, "skipped_in_row", source);
  state.first_skipped = read_count(counters, "first_skipped", source);
  state.first_skipped_plus = read_number(counters, "first_skipped_plus", source);
  state.first_skipped_minus = read_number(counters, "first_skipped_minus", source);
  state.probes = read_count(counters, "probes", source);
  state.clipped = read_count(counters, "clipped", source);
  state.d_squares = read_number(counters, "d_squares", source);
  state.tokens = read_count(counters, "tokens", source);
  state.step_seconds = read_number(counters, "step_seconds", source);
  state.timed_steps = read_count(counters, "timed_steps", source);
  return state;
}

}  // namespace qzo::train
