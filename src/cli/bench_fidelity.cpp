#include <algorithm>
#include <iostream>

#include "qzo/cli/progress.h"
#include "qzo/cli/table.h"
#include "qzo/core/text.h"
#include "qzo/objectives/fidelity.h"

#include "cli/bench.h"

namespace qzo::cli {

core::Json bench_fidelity(const BenchArguments& arguments, Assembly& assembly) {
  const config::RunConfig& values = assembly.config.values;
  const std::span<const tasks::Example> batch = sample_batch(assembly);
  const std::vector<ops::Precision> precisions = chosen_precisions(arguments);
  const objectives::FidelityOptions options{.eps = static_cast<float>(values.zo.eps),
                                            .mode = eps_mode(values),
                                            .draws = arguments.draws,
                                            .seed = static_cast<std::uint64_t>(values.train.seed),
                                            .reference = arguments.reference == "fp32"
                                                             ? objectives::FidelityReference::kFp32
                                                             : objectives::FidelityReference::kDouble};
  ProgressReporter reporter(std::cerr, progress_style(false, false), 80);
  const auto measured =
      objectives::measure_fidelity(*assembly.base.model, evaluation_options(values), batch, options, precisions,
                                   [&](double share) { reporter.show_status("fidelity: " + percent(share, 0)); });

  // At equal wall time: probes a second over 1 + r^2, against fp32's.
  const auto fp32 = std::ranges::find(measured, ops::Precision::kFp32, &objectives::Fidelity::precision);
  Table table({"precision", "slope", "correlation", "error r", "s a probe", "learning speed"});
  core::Json results = core::Json::array();
  for (const objectives::Fidelity& one : measured) {
    const double speed = fp32 == measured.end() ? 0 : fp32->seconds / one.seconds;
    const double rate = objectives::learning_speed(one, speed, arguments.draws);
    table.add({ops::precision_name(one.precision), fixed(one.slope, 4), fixed(one.correlation, 4),
               short_number(one.error), fixed(one.seconds, 3), fp32 == measured.end() ? "-" : fixed(rate, 2)});
    results.push_back({{"precision", ops::precision_name(one.precision)},
                       {"slope", one.slope},
                       {"correlation", one.correlation},
                       {"error", one.error},
                       {"seconds", one.seconds},
                       {"learning_speed_to_fp32", rate}});
  }
  std::cout << core::text(batch.size(), " examples, ", arguments.draws, " draws, eps ", values.zo.eps, " ",
                          values.zo.eps_mode, "; reference: ", arguments.reference, "\n")
            << table.str();
  return {{"results", results},
          {"reference", arguments.reference},
          {"draws", arguments.draws},
          {"eps", values.zo.eps},
          {"eps_mode", values.zo.eps_mode}};
}

}  // namespace qzo::cli
