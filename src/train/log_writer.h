#pragma once
// log.jsonl (a record a step and an evaluation, names of LLaMA-Factory and ours) and events.jsonl. Plain appends,
// synced with checkpoints: what a power cut takes is written again from the journal, but for the wall-clock fields.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "qzo/core/run_folder.h"
#include "qzo/tasks/metrics.h"
#include "qzo/train/loop.h"

#include "train/append_file.h"
#include "train/loop_state.h"

namespace qzo::train {

// Wall-clock fields of a step; absent where a step was replayed rather than computed. Seconds, tokens a second, ms.
struct StepTiming {
  double elapsed = 0, remaining = 0, tokens_per_second = 0;
  double ms_forward = 0, ms_update = 0;
};

// What is derived from the records of one step, averaged over its directions, for log and TensorBoard.
struct StepSummary {
  explicit StepSummary(std::span<const zo::StepRecord> step);
  double loss_plus = 0, loss_minus = 0, loss = 0;
  double d_raw = 0, d_applied = 0;
  double lr = 0;  // of the step: the records carry it divided by the number of directions
  bool clipped = false, skipped = false;
  std::uint64_t seed = 0;
};

class LogWriter {
 public:
  // Keeps the records up to `steps_done`, each step once; cuts the rest and a torn last line.
  LogWriter(const core::RunFolder& folder, std::uint64_t steps_done);

  // What is there: steps that are replayed again must not be logged again.
  [[nodiscard]] std::uint64_t last_step() const { return last_step_; }
  [[nodiscard]] bool has_evaluation(std::uint64_t step) const { return last_evaluation_ && *last_evaluation_ >= step; }
  [[nodiscard]] double last_elapsed() const { return last_elapsed_; }

  // `state`: after the step.
  void step(const LoopSettings& settings, const LoopState& state, double epoch, const StepSummary& summary,
            const std::optional<StepTiming>& timing);
  void evaluation(const LoopSettings& settings, std::uint64_t steps_done, const tasks::Metrics& metrics, bool best,
                  double elapsed);
  void sync();
  // start, resume, checkpoint, skip, guard, signal, error, export, done
  void event(std::string_view what, std::uint64_t steps_done, const std::string& message);

 private:
  void keep_until(std::uint64_t steps_done);

  AppendFile log_;
  AppendFile events_;
  std::uint64_t last_step_ = 0;
  std::optional<std::uint64_t> last_evaluation_;
  double last_elapsed_ = 0;
};

}  // namespace qzo::train
