#pragma once
// What a person sees of a run: one line that rewrites itself on a terminal; without a terminal only evaluations and
// messages; JSON Lines for programs.

#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "qzo/train/loop.h"

namespace qzo::cli {

enum class ProgressStyle { kTerminal, kPlain, kQuiet, kJson };

// kTerminal if stderr is one.
ProgressStyle progress_style(bool quiet, bool json);

class ProgressReporter final : public train::Reporter {
 public:
  // `out` must outlive the reporter. `columns`: terminal width, longer lines are cut.
  ProgressReporter(std::ostream& out, ProgressStyle style, int columns);
  ~ProgressReporter() override;
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;

  void on_message(const std::string& sentence) override;
  void on_step(const train::StepProgress& progress) override;
  void on_evaluation(std::uint64_t steps_done, const tasks::Metrics& metrics, bool best) override;
  void on_evaluation_progress(std::uint64_t steps_done, double share) override;

  // Rewrites the current line of a terminal; nothing elsewhere.
  void show_status(std::string line);

 private:
  void end_line();  // clears it, if one is shown
  void print(const std::string& sentence);

  std::ostream& out_;
  ProgressStyle style_;
  std::size_t columns_;
  bool line_shown_ = false;
  std::chrono::steady_clock::time_point next_line_ = {};
};

// A callback that says on the reporter's line how far loading is, once it has taken as long as `after`, and clears it
// at the end. `reporter` must outlive it.
std::function<void(std::int64_t done, std::int64_t total)> loading_progress(
    ProgressReporter& reporter, std::chrono::milliseconds after = std::chrono::seconds(1));

// "step 120/300  loss 0.612  d -1.2  ..."; `memory` = resident bytes.
std::string step_line(const train::StepProgress& progress, std::uint64_t memory);
// "accuracy 70.4 % ± 2.0  loss 0.571 ± 0.012  AUC 0.806  (n = 500)".
std::string metrics_text(const tasks::Metrics& metrics);

int terminal_columns();  // of stderr; 80 if unknown

}  // namespace qzo::cli
