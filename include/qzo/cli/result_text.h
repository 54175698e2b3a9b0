#pragma once
// The table at the end of a run: what tuning changed, and how much of it is removed label bias.

#include <optional>
#include <string>

#include "qzo/core/json_file.h"
#include "qzo/tasks/metrics.h"
#include "qzo/train/loop.h"

namespace qzo::cli {

// Scores of base and tuned checkpoint on one part of the data that training did not see.
struct HeldOut {
  std::string name;  // "test" or "dev"
  tasks::Metrics base, tuned;
  // The base model with the threshold between its two candidates tuned on the training labels: what removing label bias
  // alone gives. Two candidates only.
  std::optional<double> base_at_tuned_threshold;
};

// `planned_memory`: total of the plan made before the run, shown beside the measured peak. `held_out`: null if it was
// not scored.
std::string result_text(const train::LoopResult& result, std::uint64_t steps, std::uint64_t planned_memory,
                        const HeldOut* held_out);
core::Json held_out_json(const HeldOut& held_out);

}  // namespace qzo::cli
