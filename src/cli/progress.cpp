#include "qzo/cli/progress.h"

#include <cmath>

#include <sys/ioctl.h>
#include <unistd.h>

#include "qzo/cli/table.h"
#include "qzo/core/memory.h"
#include "qzo/core/text.h"
#include "qzo/train/json_values.h"

namespace qzo::cli {
namespace {

using core::text;

// A terminal needs no more than this; a fast run would spend its time printing.
constexpr std::chrono::milliseconds kLineInterval{100};

std::string rate(double per_second, const char* what) {
  return text(per_second >= 1000 ? fixed(per_second / 1000, 1) + "k" : short_number(per_second), " ", what, "/s");
}

}  // namespace

ProgressStyle progress_style(bool quiet, bool json) {
  if (json) return ProgressStyle::kJson;
  if (quiet) return ProgressStyle::kQuiet;
  return isatty(STDERR_FILENO) == 1 ? ProgressStyle::kTerminal : ProgressStyle::kPlain;
}

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string metrics_text(const tasks::Metrics& metrics) {
  std::string out = text("accuracy ", fixed(100 * metrics.accuracy, 1), " ± ", percent(metrics.accuracy_se), "  loss ",
                         fixed(metrics.loss, 4), " ± ", fixed(metrics.loss_se, 4));
  if (!std::isnan(metrics.auc)) out += "  AUC " + fixed(metrics.auc, 4);
  return out + text("  (n = ", metrics.count, ")");
}

std::string step_line(const train::StepProgress& progress, std::uint64_t memory) {
  std::string line = text("step ", progress.step, "/", progress.steps, "  loss ", fixed(progress.loss, 4), "  d ",
                          short_number(progress.d), "  lr ", short_number(progress.lr));
  if (progress.dev_loss) line += "  dev loss " + fixed(*progress.dev_loss, 4);
  if (progress.dev_accuracy) line += "  acc " + percent(*progress.dev_accuracy);
  line += text("  ", rate(progress.steps_per_second, "steps"), "  ", rate(progress.tokens_per_second, "tokens"),
               "  left ", core::human_seconds(progress.seconds_left), "  mem ", core::human_bytes(memory), "  clipped ",
               percent(progress.clip_share, 0));
  if (progress.skipped > 0) line += text("  skipped ", progress.skipped);
  return line;
}

ProgressReporter::ProgressReporter(std::ostream& out, ProgressStyle style, int columns)
    : out_(out), style_(style), columns_(columns > 1 ? static_cast<std::size_t>(columns) : 80) {}

ProgressReporter::~ProgressReporter() { end_line(); }

void ProgressReporter::on_message(const std::string& sentence) {
  if (style_ == ProgressStyle::kJson) {
    print(core::Json{{"event", "message"}, {"text", sentence}}.dump());
  } else if (style_ != ProgressStyle::kQuiet) {
    print(sentence);
  }
}

void ProgressReporter::on_step(const train::StepProgress& progress) {
  if (style_ == ProgressStyle::kJson) {
    print(core::Json{{"event", "step"},
                     {"step", progress.step},
                     {"steps", progress.steps},
                     {"loss", train::number_json(progress.loss)},
                     {"d", train::number_json(progress.d)},
                     {"lr", progress.lr},
                     {"clip_share", progress.clip_share},
                     {"skipped", progress.skipped},
                     {"steps_per_second", train::number_json(progress.steps_per_second)},
                     {"tokens_per_second", train::number_json(progress.tokens_per_second)},
                     {"seconds_left", train::number_json(progress.seconds_left)}}
              .dump());
    return;
  }
  if (style_ != ProgressStyle::kTerminal) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_line_ && progress.step != progress.steps) return;
  next_line_ = now + kLineInterval;
  show_status(step_line(progress, core::resident_bytes()));
}

void ProgressReporter::on_evaluation(std::uint64_t steps_done, const tasks::Metrics& metrics, bool best) {
  if (style_ == ProgressStyle::kJson) {
    core::Json event = train::metrics_json(metrics);
    event["event"] = "evaluation";
    event["step"] = steps_done;
    event["best"] = best;
    print(event.dump());
  } else if (style_ != ProgressStyle::kQuiet) {
    print(text("step ", steps_done, "  dev ", metrics_text(metrics), best ? "  best so far" : ""));
  }
}

void ProgressReporter::on_evaluation_progress(std::uint64_t steps_done, double share) {
  show_status(text("step ", steps_done, "  scoring the dev set: ", percent(share, 0)));
}

std::function<void(std::int64_t done, std::int64_t total)> loading_progress(ProgressReporter& reporter,
                                                                            std::chrono::milliseconds after) {
  return [&reporter, from = std::chrono::steady_clock::now() + after](std::int64_t done, std::int64_t total) {
    if (std::chrono::steady_clock::now() < from) return;
    const double share = static_cast<double>(done) / static_cast<double>(total);
    reporter.show_status(done == total ? "" : "loading weights: " + percent(share, 0));
  };
}

void ProgressReporter::show_status(std::string line) {
  if (style_ != ProgressStyle::kTerminal) return;
  // Cut between characters, one column short of the edge so that the terminal does not wrap.
  std::size_t end = 0;
  for (std::size_t column = 0; end < line.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(line[end]) & 0xc0u) != 0x80u;
    if (begins && column++ == columns_ - 1) break;
  }
  line.resize(end);
  out_ << "\r" << line << "\x1b[K" << std::flush;
  line_shown_ = true;
}

void ProgressReporter::end_line() {
  if (line_shown_) out_ << "\r\x1b[K" << std::flush;
  line_shown_ = false;
}

void ProgressReporter::print(const std::string& sentence) {
  end_line();
  out_ << sentence << "\n" << std::flush;
}

}  // namespace qzo::cli
