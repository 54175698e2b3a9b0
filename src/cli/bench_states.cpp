#include <iostream>

#include "qzo/cli/table.h"
#include "qzo/core/text.h"
#include "qzo/optim/registry.h"

#include "cli/bench.h"
#include "cli/synthetic_checkpoint.h"

namespace qzo::cli {

core::Json bench_states(const BenchArguments& arguments) {
  using core::text;
  constexpr double kGib = 1 << 30;
  // Weights and gradients of 2 bytes, as the published table has them. No step is taken, so values are never looked at.
  constexpr double kOthers = 4;
  optim::ParameterGroup group;
  double weights = 0;
  for (auto& [name, shape] : synthetic_weights(arguments.shape)) {
    double count = 1;
    for (const std::int64_t dimension : shape) count *= static_cast<double>(dimension);
    weights += count;
    group.parameters.push_back({.name = name, .shape = shape, .dtype = core::Dtype::kBF16});
  }
  const auto states = [&](const std::string& name) { return optim::make_optimizer(name, {group})->state_bytes(); };
  const double full = static_cast<double>(states("adamw32")) + kOthers * weights;
  core::Json results = core::Json::array();
  Table table({"optimizer", "states, GiB", "bytes/param", "with 16-bit weights and gradients, GiB", "saved, GiB", "%"});
  for (const std::string& name : arguments.optimizers.empty() ? optim::optimizer_names() : arguments.optimizers) {
    const auto bytes = static_cast<double>(states(name));
    const double total = bytes + kOthers * weights;
    table.add({name, fixed(bytes / kGib, 2), fixed(bytes / weights, 4), fixed(total / kGib, 2),
               fixed((full - total) / kGib, 2), fixed(100 * (1 - total / full), 1)});
    results.push_back({{"optimizer", name},
                       {"params", weights},
                       {"state_bytes", bytes},
                       {"bytes_per_param", bytes / weights},
                       {"total_bytes", total},
                       {"saved_bytes", full - total}});
  }
  std::cout << text(arguments.shape, ": ", fixed(weights / 1e9, 3), " G weights\n", table.str());
  return {{"shape", arguments.shape}, {"results", results}};
}

}  // namespace qzo::cli
