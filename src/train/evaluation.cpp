#include "train/evaluation.h"

#include <cmath>

#include "qzo/core/check.h"

namespace qzo::train {
namespace {

// Leaves Problem::evaluate through its progress callback.
struct Interrupted {};

bool lower_loss(double candidate, double best) {
  if (std::isnan(candidate)) return false;
  return std::isnan(best) || candidate < best;
}

}  // namespace

std::optional<tasks::Metrics> evaluate(Problem& problem, std::uint64_t steps_done, Reporter& reporter,
                                       const StopSignal& signals) {
  try {
    return problem.evaluate([&](double share) {
      if (signals.stop_requested() != 0) throw Interrupted{};
      reporter.on_evaluation_progress(steps_done, share);
    });
  } catch (const Interrupted&) {
    return std::nullopt;
  }
}

bool is_better(const std::string& metric, const tasks::Metrics& candidate, const tasks::Metrics& best) {
  if (metric == "loss") return lower_loss(candidate.loss, best.loss);
  QZO_CHECK(metric == "accuracy", "best_metric is ", metric);
  if (std::isnan(candidate.accuracy)) return false;
  if (std::isnan(best.accuracy) || candidate.accuracy > best.accuracy) return true;
  return candidate.accuracy == best.accuracy && lower_loss(candidate.loss, best.loss);
}

}  // namespace qzo::train
