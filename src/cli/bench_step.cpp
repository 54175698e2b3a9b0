#include <algorithm>
#include <iostream>

#include "qzo/cli/table.h"
#include "qzo/cli/training_problem.h"
#include "qzo/core/profile.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/objectives/classification.h"

#include "cli/bench.h"

namespace qzo::cli {
namespace {

struct Times {
  std::array<std::vector<double>, core::kParts> parts;
  std::vector<double> update, whole;
};

// One batch again and again, always at the same scales: the learning rate is 0, but the update does its work.
Times measure(Assembly& assembly, ops::Precision precision, int repeats) {
  const config::RunConfig& values = assembly.config.values;
  objectives::ObjectiveOptions options = evaluation_options(values);
  options.precision = precision;
  objectives::Classification objective(*assembly.base.model, options);
  const std::span<const tasks::Example> batch = sample_batch(assembly);
  std::vector<zo::TrainableScales> tensors = trainable_scales(*assembly.base.model);
  const zo::QzoSettings settings = loop_settings(assembly).zo;
  Times out;
  for (int i = -1; i < repeats; ++i) {  // the first one warms up
    double forward = 0;
    const double whole = seconds_of([&] {
      zo::qzo_step(settings, static_cast<std::uint64_t>(i + 1), 0.0, tensors, [&](const kernels::Probe& probe) {
        core::start_profile();
        zo::LossPair losses;
        forward += seconds_of([&] { losses = objective.loss(batch, probe); });
        const auto seconds = core::stop_profile();
        if (i >= 0)
          for (std::size_t p = 0; p < core::kParts; ++p) out.parts[p].push_back(seconds[p]);
        return losses;
      });
    });
    if (i < 0) continue;
    out.update.push_back(whole - forward);
    out.whole.push_back(whole);
  }
  return out;
}

std::string cell(double seconds, double whole) {
  return core::text(fixed(1000 * seconds, 1), " (", percent(seconds / whole, 0), ")");
}

}  // namespace

core::Json bench_step(const BenchArguments& arguments, Assembly& assembly) {
  const auto threads = core::thread_count();
  Table table(
      {"ms a step", "whole", "spread", "matmul", "noise", "attention", "elementwise", "head", "other", "update"});
  core::Json results = core::Json::array();
  for (const ops::Precision precision : chosen_precisions(arguments)) {
    const Times times = measure(assembly, precision, arguments.repeats);
    const Spread whole = spread_of(times.whole);
    std::vector<std::string> row = {ops::precision_name(precision), fixed(1000 * whole.median, 0),
                                    core::text(fixed(1000 * whole.least, 0), "-", fixed(1000 * whole.most, 0))};
    core::Json parts = {{"update", spread_of(times.update).median}};
    for (std::size_t p = 0; p < core::kParts; ++p) {
      const double median = spread_of(times.parts[p]).median;
      parts[core::part_name(static_cast<core::Part>(p))] = median;
      row.push_back(cell(median, whole.median));
    }
    row.push_back(cell(spread_of(times.update).median, whole.median));
    table.add(row);
    results.push_back({{"precision", ops::precision_name(precision)},
                       {"threads", threads},
                       {"seconds", whole.median},
                       {"seconds_least", whole.least},
                       {"seconds_most", whole.most},
                       {"parts", parts}});
  }
  std::cout << table.str();
  return {{"results", results}};
}

}  // namespace qzo::cli
