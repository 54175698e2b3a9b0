#include "qzo/objectives/fidelity.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/models/reference_lm.h"

#include "objectives/tensor_loss.h"

namespace qzo::objectives {
namespace {

constexpr std::uint32_t kFirstStep = 0xffff0000U;

struct Series {
  std::vector<double> d;
  std::vector<double> seconds;
};

zo::LossPair reference_losses(models::ReferenceLm& model, std::span<const tasks::Example> examples,
                              kernels::Probe probe) {
  const ClassificationPlan plan = tensor_plan(examples);
  const auto loss = [&](kernels::Signs sign) {
    probe.signs = sign;
    return tensor_loss(plan, examples, model.logits(plan.batch(), {.probe = &probe})).item<double>();
  };
  const double plus = loss(kernels::Signs::kPlus);
  return {plus, loss(kernels::Signs::kMinus)};
}

using Losses = std::function<zo::LossPair(const kernels::Probe& probe)>;

// One draw after the other, all ways of computing at each: what disturbs the clock disturbs them alike.
std::vector<Series> draw(std::span<const Losses> ways, const FidelityOptions& fidelity,
                         const std::function<void(double share)>& progress) {
  std::vector<Series> series(ways.size());
  const auto total = static_cast<double>(ways.size()) * fidelity.draws;
  double done = 0;
  for (int i = 0; i < fidelity.draws; ++i) {
    const kernels::PhiloxNoise noise(
        {.seed = fidelity.seed, .step = kFirstStep + static_cast<std::uint32_t>(i), .direction = 0});
    const kernels::Probe probe{.noise = &noise, .eps = fidelity.eps, .mode = fidelity.mode};
    for (std::size_t w = 0; w < ways.size(); ++w) {
      const auto start = std::chrono::steady_clock::now();
      const zo::LossPair pair = ways[w](probe);
      series[w].seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      series[w].d.push_back((pair.plus - pair.minus) / (2 * static_cast<double>(fidelity.eps)));
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
  const auto computed_in = [&](ops::Precision precision) -> Losses {
    ObjectiveOptions own = options;
    own.precision = precision;
    return [&model, own, examples](const kernels::Probe& probe) {
      return Classification(model, own).loss(examples, probe);
    };
  };
  std::vector<Losses> ways;
  std::unique_ptr<models::ReferenceLm> reference;
  if (fidelity.reference == FidelityReference::kDouble) {
    reference = models::make_reference(model);
    ways.emplace_back([&](const kernels::Probe& probe) { return reference_losses(*reference, examples, probe); });
  } else {
    ways.push_back(computed_in(ops::Precision::kFp32));
  }
  for (const ops::Precision precision : precisions) ways.push_back(computed_in(precision));
  const std::vector<Series> series = draw(ways, fidelity, progress);
  std::vector<Fidelity> out;
  for (std::size_t i = 0; i < precisions.size(); ++i) out.push_back(compare(series[0], series[i + 1], precisions[i]));
  return out;
}

double learning_speed(const Fidelity& fidelity, double relative_speed, int draws) {
  const double granted = 0.05 + 2 * fidelity.error / std::sqrt(draws);
  const bool usable = std::abs(fidelity.slope - 1) <= granted;  // false for NaN
  return usable ? relative_speed / (1 + fidelity.error * fidelity.error) : 0;
}

}  // namespace qzo::objectives
