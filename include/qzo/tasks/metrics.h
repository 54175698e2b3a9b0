#pragma once
// What a classifier is judged by, from the candidate scores (mean token log-probabilities, or logits where every
// candidate is one token) of each example.

#include <cstdint>
#include <vector>

namespace qzo::tasks {

struct Metrics {
  std::int64_t count = 0;
  double accuracy = 0;
  double accuracy_se = 0;  // sqrt(a (1 - a) / n)
  double loss = 0;         // mean cross-entropy over candidates, natural log
  double loss_se = 0;      // standard deviation of the per-example losses / sqrt(n)
  double auc = 0;          // area under the ROC curve (two candidates; ties count half); NaN otherwise
};

// scores[i]: one score per candidate; labels[i]: index of the right one. Fixed summation order, double.
Metrics compute_metrics(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels);

// Two candidates: the threshold on score[1] - score[0] that maximises accuracy on these examples (label bias removed).
double best_threshold(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels);
double accuracy_at_threshold(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels,
                             double threshold);

}  // namespace qzo::tasks
