#pragma once
// What a classifier is judged by, from the candidate scores (mean token log-probabilities, or logits where every
// candidate is one token) of each example. An example with a NaN score counts as wrong; it makes the loss NaN.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace qzo::tasks {

struct Metrics {
  std::int64_t count = 0;
  double accuracy = 0;
  double accuracy_se = 0;  // sqrt(a (1 - a) / n)
  double loss = 0;         // mean cross-entropy over candidates, natural log
  double loss_se = 0;      // standard deviation of the per-example losses / sqrt(n); NaN for one example
  double auc = 0;          // area under the ROC curve of score[1] - score[0] (ties count half); NaN unless there are
                           // two candidates, examples of both labels and finite scores
};

// scores[i]: one score per candidate; labels[i]: index of the right one. Fixed summation order, double.
Metrics compute_metrics(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels);

// log sum exp(scores) - scores[right], in double. NaN if any score is.
double cross_entropy(std::span<const float> scores, std::size_t right);

// Two candidates: the threshold on score[1] - score[0] that maximises accuracy on these examples (label bias removed).
// NaN if a score is not finite; the accuracy at it is NaN too.
double best_threshold(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels);
double accuracy_at_threshold(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels,
                             double threshold);

}  // namespace qzo::tasks
