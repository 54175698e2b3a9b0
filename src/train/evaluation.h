#pragma once
// Scoring the dev set, and which of two scores is the better model.

#include <optional>
#include <string>

#include "qzo/train/loop.h"

#include "train/stop_signal.h"

namespace qzo::train {

// nullopt if a stop signal came in the meantime: an evaluation can take minutes.
std::optional<tasks::Metrics> evaluate(Problem& problem, std::uint64_t steps_done, Reporter& reporter,
                                       const StopSignal& signals);

// `metric`: "loss" or "accuracy" (the lower loss decides between equal accuracies). A NaN is never better, and anything
// is better than a NaN.
bool is_better(const std::string& metric, const tasks::Metrics& candidate, const tasks::Metrics& best);

}  // namespace qzo::train
