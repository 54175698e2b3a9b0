#pragma once
// Everything a run carries from step to step besides the masters. All of it but the clock is a function of the journal
// and the evaluations, so it stands in checkpoints and is brought forward by replaying records.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "qzo/tasks/metrics.h"
#include "qzo/train/checkpoint.h"
#include "qzo/zo/qzo.h"

namespace qzo::train {

struct LoopState {
  std::uint64_t steps_done = 0;
  std::uint64_t journal_bytes = 0;  // journal length that belongs to steps_done

  std::optional<tasks::Metrics> zero_shot, last, best;  // dev set
  std::optional<std::uint64_t> evaluated_step;          // of `last`
  std::uint64_t best_step = 0;

  std::uint64_t skipped = 0;
  std::uint64_t skipped_in_row = 0;
  std::uint64_t first_skipped = 0;                         // step with which the row began
  double first_skipped_plus = 0, first_skipped_minus = 0;  // its losses
  std::uint64_t probes = 0, clipped = 0;                   // directions that were not skipped
  double d_squares = 0;                                    // sum of d before the clip, squared
  std::uint64_t tokens = 0;                                // of the training examples seen

  double step_seconds = 0;  // wall time of the steps that were computed rather than replayed
  std::uint64_t timed_steps = 0;

  // Counts the records of the next step.
  void count(std::span<const zo::StepRecord> step, std::uint64_t step_tokens);

  [[nodiscard]] double clip_share() const;
  [[nodiscard]] double d_rms() const;
  [[nodiscard]] double seconds_per_step() const;
};

CheckpointState to_checkpoint(const LoopState& state);
// UserError naming `source` and the field if one is absent or of another kind.
LoopState from_checkpoint(const CheckpointState& checkpoint, const std::string& source);

}  // namespace qzo::train
