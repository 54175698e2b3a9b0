#include "qzo/cli/score.h"

#include <algorithm>

namespace qzo::cli {

Scores score_examples(objectives::Classification& objective, std::span<const tasks::Example> examples,
                      std::int64_t batch, const std::function<void(double share)>& progress) {
  Scores out;
  const auto step = static_cast<std::size_t>(std::max<std::int64_t>(batch, 1));
  for (std::size_t first = 0; first < examples.size(); first += step) {
    const auto part = examples.subspan(first, std::min(step, examples.size() - first));
    for (std::vector<float>& scores : objective.scores(part, true)) out.scores.push_back(std::move(scores));
    for (const tasks::Example& example : part) out.labels.push_back(example.label);
    if (progress) progress(static_cast<double>(first + part.size()) / static_cast<double>(examples.size()));
  }
  return out;
}

}  // namespace qzo::cli
