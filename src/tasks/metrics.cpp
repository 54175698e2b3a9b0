#include "qzo/tasks/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "qzo/core/check.h"

namespace qzo::tasks {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Scores = std::vector<std::vector<float>>;
using Labels = std::vector<std::int32_t>;

void check_sizes(const Scores& scores, const Labels& labels) {
  QZO_CHECK(scores.size() == labels.size() && !scores.empty(), scores.size(), " scores, ", labels.size(), " labels");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    QZO_CHECK(labels[i] >= 0 && static_cast<std::size_t>(labels[i]) < scores[i].size(), "label ", labels[i], " of ",
              scores[i].size(), " candidates in example ", i);
  }
}

bool are_finite_pairs(const Scores& scores) {
  return std::all_of(scores.begin(), scores.end(), [](const std::vector<float>& pair) {
    return pair.size() == 2 && std::isfinite(pair[0]) && std::isfinite(pair[1]);
  });
}

bool is_right(const std::vector<float>& scores, std::int32_t label) {
  if (std::any_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); })) return false;
  return std::max_element(scores.begin(), scores.end()) - scores.begin() == label;
}

double margin(const std::vector<float>& scores) { return double{scores[1]} - double{scores[0]}; }

std::vector<std::size_t> by_margin(const Scores& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return margin(scores[a]) < margin(scores[b]); });
  return order;
}

// Mann-Whitney: rank sum of the positives; equal margins share the mean of their ranks.
double area_under_roc(const Scores& scores, const Labels& labels) {
  const std::vector<std::size_t> order = by_margin(scores);
  double rank_sum = 0;
  double positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && margin(scores[order[end]]) == margin(scores[order[begin]])) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);
    for (; begin < end; ++begin) {
      if (labels[order[begin]] == 0) continue;
      rank_sum += rank;
      ++positives;
    }
  }
  const double negatives = static_cast<double>(order.size()) - positives;
  if (positives == 0 || negatives == 0) return kNan;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace

double cross_entropy(std::span<const float> scores, std::size_t right) {
  QZO_CHECK(right < scores.size(), "candidate ", right, " of ", scores.size());
  // A NaN that max_element passes over still reaches the sum.
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const float score : scores) sum += std::exp(score - most);
  // The difference first: it is exact where scores are large and near each other.
  return std::log(sum) + (most - scores[right]);
}

Metrics compute_metrics(const Scores& scores, const Labels& labels) {
  check_sizes(scores, labels);
  const auto n = static_cast<double>(scores.size());
  std::int64_t right = 0;
  std::vector<double> losses;
  losses.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    right += is_right(scores[i], labels[i]) ? 1 : 0;
    losses.push_back(cross_entropy(scores[i], static_cast<std::size_t>(labels[i])));
  }
  Metrics out;
  out.count = static_cast<std::int64_t>(scores.size());
  out.accuracy = static_cast<double>(right) / n;
  out.accuracy_se = std::sqrt(out.accuracy * (1 - out.accuracy) / n);
  out.loss = std::accumulate(losses.begin(), losses.end(), 0.0) / n;
  double squares = 0;
  for (const double loss : losses) squares += (loss - out.loss) * (loss - out.loss);
  out.loss_se = n > 1 ? std::sqrt(squares / (n - 1) / n) : kNan;
  out.auc = are_finite_pairs(scores) ? area_under_roc(scores, labels) : kNan;
  return out;
}

double best_threshold(const Scores& scores, const Labels& labels) {
  check_sizes(scores, labels);
  if (!are_finite_pairs(scores)) return kNan;
  const std::vector<std::size_t> order = by_margin(scores);
  // Above the threshold is called 1. Start below all examples, pass them one by one.
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

double accuracy_at_threshold(const Scores& scores, const Labels& labels, double threshold) {
  check_sizes(scores, labels);
  if (std::isnan(threshold) || !are_finite_pairs(scores)) return kNan;
  std::int64_t right = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    right += (margin(scores[i]) > threshold) == (labels[i] == 1) ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(scores.size());
}

}  // namespace qzo::tasks
