#pragma once
// The training loop: zero-shot evaluation, steps, evaluations, checkpoints, journal, logs, signals, guard, resume.
// Receives built objects, so it runs in tests with a fake problem. Prints nothing itself: events go to a Reporter.
//
// A run is a function of its settings and its base checkpoint. Killed at any instant and continued with Resume::kAuto,
// it leaves the same journal, masters and model, byte for byte: steps of QZO that are in the journal are applied again,
// never computed again; first-order steps behind the newest checkpoint are computed again, to the same bits.
// Evaluations that no checkpoint remembers are repeated where they stood.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "qzo/core/run_folder.h"
#include "qzo/train/method.h"
#include "qzo/train/problem.h"
#include "qzo/zo/qzo.h"
#include "qzo/zo/schedule.h"

namespace qzo::train {

struct LoopSettings {
  zo::QzoSettings zo;  // of a first-order run only the seed, which orders the batches
  std::uint64_t steps = 20000;
  bool first_order = false;  // for words and field names
  double lr = 1e-7;
  zo::Schedule schedule = zo::Schedule::kConstant;
  std::uint64_t warmup = 0;
  std::int64_t batch_size = 16;
  std::uint64_t eval_every = 4000;  // 0: only before the first and after the last step
  std::uint64_t save_every = 1000;
  std::uint64_t log_every = 1;       // records in log.jsonl and TensorBoard, calls of on_step
  std::uint64_t sync_every = 50;     // journal fsync and checksum record
  int keep_last = 2;                 // newest checkpoints kept, besides the best one that each of them knows
  std::string best_metric = "loss";  // dev "loss" or "accuracy": which checkpoint is exported
  int nonfinite_limit = 10;          // skipped steps in a row that end the run
  bool longest_first = true;
  bool tensorboard = true;
  std::uint64_t config_hash = 0;  // of everything that changes the trajectory
  std::string config_json;        // effective config with sources, written to RUN/config.json
  std::string environment_json;
};

enum class Resume { kNo, kAuto };  // kNo: the folder must be absent or empty; kAuto: continue a run, or start one

struct StepProgress {
  std::uint64_t step = 0, steps = 0;  // steps done
  double loss = 0;                    // mean of L+ and L-
  double d = 0;
  double lr = 0;
  std::optional<double> dev_loss, dev_accuracy;  // newest evaluation
  double clip_share = 0;                         // of all steps so far
  std::uint64_t skipped = 0;
  double steps_per_second = 0, tokens_per_second = 0, seconds_left = 0;
};

// What a person sees. Calls come from the loop's thread.
class Reporter {
 public:
  virtual ~Reporter() = default;
  // Start or resume, a checkpoint that was asked for or passed over, a signal, what was exported.
  virtual void on_message(const std::string& sentence) = 0;
  virtual void on_step(const StepProgress& progress) = 0;
  virtual void on_evaluation(std::uint64_t steps_done, const tasks::Metrics& metrics, bool best) = 0;
  virtual void on_evaluation_progress(std::uint64_t steps_done, double share) = 0;
};

struct LoopResult {
  std::uint64_t steps_done = 0;
  int signal = 0;  // SIGINT or SIGTERM if one ended the run; 0 = all steps done
  tasks::Metrics zero_shot, best;
  std::uint64_t best_step = 0;
  std::uint64_t skipped = 0;
  double seconds_per_step = 0;
  std::uint64_t peak_memory = 0;
  std::filesystem::path model;  // where the tuned checkpoint stands (RUN/model); empty if interrupted
};

// On return with `model` set the masters are those of the best checkpoint. SIGINT and SIGTERM: the step is finished,
// state saved and `signal` set; a second one ends the process with 128 + its number. SIGUSR1, or a file CHECKPOINT_NOW
// in the folder: a checkpoint is saved after the step. An earlier run that did all steps is not repeated: its model is
// written again only if it is missing. Throws GuardError after nonfinite_limit skipped steps in a row, EnvironmentError
// on a full disk (checkpoints and journal up to then are intact), UserError if the folder holds a run with another
// config, base checkpoint or tensors.
LoopResult run(Method& method, const LoopSettings& settings, const core::RunFolder& folder, Resume resume,
               Reporter& reporter);
// With QZO, as settings.zo says.
LoopResult run(ScaleProblem& problem, const LoopSettings& settings, const core::RunFolder& folder, Resume resume,
               Reporter& reporter);

}  // namespace qzo::train
