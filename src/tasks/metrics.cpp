#include "qzo/tasks/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "qzo/core/check.h"

namespace qzo::tasks {

namespace {

double cross_entropy(const std::vector<float>& scores, std::size_t right) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const float score : scores) sum += std::exp(score - most);
  return std::log(sum) + most - scores[right];
}

double margin(const std::vector<float>& scores) { return double{scores[1]} - double{scores[0]}; }

std::vector<std::size_t> by_margin(const std::vector<std::vector<float>>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return margin(scores[a]) < margin(scores[b]); });
  return order;
}

// Mann-Whitney: mean rank of the positives, ties get the mean of their ranks.
double area_under_roc(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels) {
  const std::vector<std::size_t> order = by_margin(scores);
  double rank_sum = 0;
  double positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && margin(scores[order[end]]) == margin(scores[order[begin]])) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);
    for (std::size_t i = begin; i < end; ++i) {
      if (labels[order[i]] == 1) {
        rank_sum += rank;
        ++positives;
      }
    }
    begin = end;
  }
  const double negatives = static_cast<double>(order.size()) - positives;
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace

Metrics compute_metrics(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels) {
  QZO_CHECK(scores.size() == labels.size() && !scores.empty(), scores.size(), " scores, ", labels.size(), " labels");
  Metrics out;
  out.count = static_cast<std::int64_t>(scores.size());
  const auto n = static_cast<double>(scores.size());
  bool two = true;
  bool finite = true;
  double right = 0;
  std::vector<double> losses;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto best = std::max_element(scores[i].begin(), scores[i].end()) - scores[i].begin();
    right += best == labels[i] ? 1 : 0;
    losses.push_back(cross_entropy(scores[i], static_cast<std::size_t>(labels[i])));
    two = two && scores[i].size() == 2;
    finite = finite && std::all_of(scores[i].begin(), scores[i].end(), [](float s) { return std::isfinite(s); });
  }
  out.accuracy = right / n;
  out.accuracy_se = std::sqrt(out.accuracy * (1 - out.accuracy) / n);
  out.loss = std::accumulate(losses.begin(), losses.end(), 0.0) / n;
  double spread = 0;
  for (const double loss : losses) spread += (loss - out.loss) * (loss - out.loss);
  out.loss_se = n > 1 ? std::sqrt(spread / (n - 1) / n) : 0;
  out.auc = two && finite ? area_under_roc(scores, labels) : std::numeric_limits<double>::quiet_NaN();
  return out;
}

double best_threshold(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels) {
  QZO_CHECK(scores.size() == labels.size() && !scores.empty() && scores[0].size() == 2);
  const std::vector<std::size_t> order = by_margin(scores);
  // Everything above the threshold is called 1: start below all, move up one example at a time.
  std::int64_t right = std::count(labels.begin(), labels.end(), 1);
  std::int64_t most = right;
  double best = margin(scores[order.front()]) - 1;
  for (std::size_t i = 0; i < order.size(); ++i) {
    right += labels[order[i]] == 0 ? 1 : -1;
    const double here = margin(scores[order[i]]);
    const double next = i + 1 < order.size() ? margin(scores[order[i + 1]]) : here + 1;
    if (right > most && next > here) {
      most = right;
      best = here + (next - here) / 2;
    }
  }
  return best;
}

double accuracy_at_threshold(const std::vector<std::vector<float>>& scores, const std::vector<std::int32_t>& labels,
                             double threshold) {
  double right = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) right += (margin(scores[i]) > threshold ? 1 : 0) == labels[i] ? 1 : 0;
  return right / static_cast<double>(scores.size());
}

}  // namespace qzo::tasks
