#include "train/log_writer.h"

#include <chrono>
#include <cmath>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/train/json_values.h"

namespace qzo::train {
namespace {

// Keeps the order in which people read the fields.
using Line = nlohmann::ordered_json;

double rounded(double value, double per_unit) { return std::round(value * per_unit) / per_unit; }

double percentage(std::uint64_t step, std::uint64_t steps) {
  return rounded(steps == 0 ? 100 : 100 * static_cast<double>(step) / static_cast<double>(steps), 1e2);
}

std::string dump(const Line& line) { return line.dump() + "\n"; }

void cut_torn_line(AppendFile& file) {
  const std::string text = core::read_file(file.path());
  file.cut(text.rfind('\n') + 1);  // npos + 1 == 0: no whole line
}

}  // namespace

StepSummary::StepSummary(std::span<const zo::StepRecord> step) {
  for (const zo::StepRecord& record : step) {
    loss_plus += double{record.loss_plus};
    loss_minus += double{record.loss_minus};
    d_raw += double{record.d_raw};
    d_applied += double{record.d_applied};
    lr += double{record.lr};
    clipped = clipped || record.clipped;
    skipped = skipped || record.skipped;
    seed = record.seed;
  }
  const auto directions = static_cast<double>(step.size());
  loss_plus /= directions;
  loss_minus /= directions;
  loss = (loss_plus + loss_minus) / 2;
  d_raw /= directions;
  d_applied /= directions;
}

LogWriter::LogWriter(const core::RunFolder& folder, std::uint64_t steps_done)
    : log_(folder.log()), events_(folder.events()) {
  keep_until(steps_done);
  cut_torn_line(events_);
}

void LogWriter::keep_until(std::uint64_t steps_done) {
  const std::string text = core::read_file(log_.path());
  const std::string source = log_.path().string();
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    try {
      const core::Json line = core::parse_json(std::string_view(text).substr(begin, end - begin), source);
      const std::uint64_t step = read_count(line, "current_steps", source);
      if (step > steps_done) break;
      if (line.contains("elapsed_time")) last_elapsed_ = read_number(line, "elapsed_time", source);
      if (line.contains("eval_loss")) {
        last_evaluation_ = step;
      } else {
        last_step_ = step;
      }
    } catch (const core::UserError&) {
      break;  // damaged: what follows is written again while the journal is replayed
    }
  }
  log_.cut(begin);
}

void LogWriter::step(const LoopSettings& settings, const LoopState& state, double epoch, const StepSummary& summary,
                     const std::optional<StepTiming>& timing) {
  Line line;
  line["current_steps"] = state.steps_done;
  line["total_steps"] = settings.steps;
  line["loss"] = number_json(summary.loss);
  line["lr"] = number_json(summary.lr);
  line["epoch"] = rounded(epoch, 1e4);
  line["percentage"] = percentage(state.steps_done, settings.steps);
  if (timing) {
    line["elapsed_time"] = rounded(timing->elapsed, 1e3);
    line["remaining_time"] = rounded(timing->remaining, 1e3);
    line["throughput"] = rounded(timing->tokens_per_second, 1e2);
  }
  line["total_tokens"] = state.tokens;
  if (settings.first_order) {
    line["grad_norm"] = number_json(summary.d_raw);
    line["grad_norm_clipped"] = number_json(summary.d_applied);
  } else {
    line["loss_plus"] = number_json(summary.loss_plus);
    line["loss_minus"] = number_json(summary.loss_minus);
    line["projected_grad"] = number_json(summary.d_raw);
    line["d_applied"] = number_json(summary.d_applied);
  }
  line["clipped"] = summary.clipped;
  line["clip_share"] = state.clip_share();
  line["seed"] = summary.seed;
  line["skipped_total"] = state.skipped;
  line["nonfinite"] = summary.skipped;
  line[settings.first_order ? "grad_norm_rms" : "d_rms"] = number_json(state.d_rms());
  if (timing) {
    line["ms_forward"] = rounded(timing->ms_forward, 1e3);
    line["ms_update"] = rounded(timing->ms_update, 1e3);
  }
  log_.append(dump(line));
}

void LogWriter::evaluation(const LoopSettings& settings, std::uint64_t steps_done, const tasks::Metrics& metrics,
                           bool best, double elapsed) {
  Line line;
  line["current_steps"] = steps_done;
  line["total_steps"] = settings.steps;
  line["eval_loss"] = number_json(metrics.loss);
  line["eval_loss_se"] = number_json(metrics.loss_se);
  line["eval_accuracy"] = number_json(metrics.accuracy);
  line["eval_accuracy_se"] = number_json(metrics.accuracy_se);
  line["eval_auc"] = number_json(metrics.auc);
  line["eval_count"] = metrics.count;
  line["best"] = best;
  line["percentage"] = percentage(steps_done, settings.steps);
  line["elapsed_time"] = rounded(elapsed, 1e3);
  log_.append(dump(line));
}

void LogWriter::sync() {
  log_.sync();
  events_.sync();
}

void LogWriter::event(std::string_view what, std::uint64_t steps_done, const std::string& message) {
  Line line;
  line["time"] =
      rounded(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(), 1e3);
  line["step"] = steps_done;
  line["event"] = what;
  line["message"] = message;
  events_.append(dump(line));
}

}  // namespace qzo::train
