#include "qzo/objectives/fidelity.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>

#include "qzo/core/check.h"

namespace qzo::objectives {
namespace {

constexpr std::uint32_t kFirstStep = 0xffff0000U;

struct Series {
  std::vector<double> d;
  std::vector<double> seconds;
};

// One draw after the other, all precisions at each: what disturbs the clock disturbs them alike.
std::vector<Series> draw(models::CausalLm& model, ObjectiveOptions options, std::span<const tasks::Example> examples,
                         const FidelityOptions& fidelity, std::span<const ops::Precision> precisions,
                         const std::function<void(double share)>& progress) {
  std::vector<Series> series(precisions.size());
  const auto total = static_cast<double>(precisions.size()) * fidelity.draws;
  double done = 0;
  for (int i = 0; i < fidelity.draws; ++i) {
    const kernels::PhiloxNoise noise(
        {.seed = fidelity.seed, .step = kFirstStep + static_cast<std::uint32_t>(i), .direction = 0});
    const kernels::Probe probe{.noise = &noise, .eps = fidelity.eps, .mode = fidelity.mode};
    for (std::size_t p = 0; p < precisions.size(); ++p) {
      options.precision = precisions[p];
      const auto start = std::chrono::steady_clock::now();
      const zo::LossPair pair = Classification(model, options).loss(examples, probe);
      series[p].seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      series[p].d.push_back((pair.plus - pair.minus) / (2 * static_cast<double>(fidelity.eps)));
      progress(++done / total);
    }
  }
  return series;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Fidelity compare(const Series& reference, const Series& series, ops::Precision precision) {
  double product = 0, size = 0, other = 0, difference = 0;
  for (std::size_t i = 0; i < series.d.size(); ++i) {
    product += reference.d[i] * series.d[i];
    size += reference.d[i] * reference.d[i];
    other += series.d[i] * series.d[i];
    difference += (series.d[i] - reference.d[i]) * (series.d[i] - reference.d[i]);
  }
  return {.precision = precision,
          .slope = product / size,
          .correlation = product / std::sqrt(size * other),
          .error = std::sqrt(difference / size),
          .seconds = median(series.seconds)};
}

}  // namespace

std::vector<Fidelity> measure_fidelity(models::CausalLm& model, const ObjectiveOptions& options,
                                       std::span<const tasks::Example> examples, const FidelityOptions& fidelity,
                                       std::span<const ops::Precision> precisions,
                                       const std::function<void(double share)>& progress) {
  QZO_CHECK(!examples.empty() && fidelity.draws > 0, examples.size(), " examples, ", fidelity.draws, " draws");
  std::vector<ops::Precision> drawn = {ops::Precision::kFp32};
  std::ranges::copy_if(precisions, std::back_inserter(drawn),
                       [](ops::Precision precision) { return precision != ops::Precision::kFp32; });
  const std::vector<Series> series = draw(model, options, examples, fidelity, drawn, progress);
  std::vector<Fidelity> out;
  for (const ops::Precision precision : precisions) {
    const auto at = std::ranges::find(drawn, precision) - drawn.begin();
    out.push_back(compare(series[0], series[static_cast<std::size_t>(at)], precision));
  }
  return out;
}

double learning_speed(const Fidelity& fidelity, double relative_speed, int draws) {
  const double granted = 0.05 + 2 * fidelity.error / std::sqrt(draws);
  const bool usable = std::abs(fidelity.slope - 1) <= granted;  // false for NaN
  return usable ? relative_speed / (1 + fidelity.error * fidelity.error) : 0;
}

}  // namespace qzo::objectives
