#pragma once
// Scores of examples in batches, on the scales as an exported model has them.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "qzo/objectives/classification.h"
#include "qzo/tasks/metrics.h"

namespace qzo::cli {

struct Scores {
  std::vector<std::vector<float>> scores;  // one per candidate
  std::vector<std::int32_t> labels;

  [[nodiscard]] tasks::Metrics metrics() const { return tasks::compute_metrics(scores, labels); }
};

// `batch`: examples per pass. `progress`, if given, hears the share done.
Scores score_examples(objectives::Classification& objective, std::span<const tasks::Example> examples,
                      std::int64_t batch, const std::function<void(double share)>& progress = {});

}  // namespace qzo::cli
