#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>

#include "qzo/cli/commands.h"
#include "qzo/cli/environment.h"
#include "qzo/cli/progress.h"
#include "qzo/cli/table.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"
#include "qzo/ops/threads.h"

#include "cli/bench.h"

namespace qzo::cli {
namespace {

using core::text;
constexpr double kBusy = 0.15;

// Jiffies of all processors: spent in programs, and in all.
struct Jiffies {
  double busy = 0, all = 0;
};

Jiffies read_jiffies() {
  std::ifstream file("/proc/stat");
  std::string name;
  file >> name;
  Jiffies out;
  double value = 0;
  for (int field = 0; field < 8 && file >> value; ++field) {
    out.all += value;
    if (field != 3 && field != 4) out.busy += value;  // idle, waiting for a disk
  }
  return out;
}

// Share of the processors that other programs use, measured for a moment.
double busy_share() {
  const Jiffies before = read_jiffies();
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  const Jiffies after = read_jiffies();
  return after.all > before.all ? (after.busy - before.busy) / (after.all - before.all) : 0;
}

void refuse_a_busy_machine(const BenchArguments& arguments) {
  const double busy = busy_share();
  if (busy <= kBusy) return;
  const std::string found = text("other programs use ", percent(busy, 0), " of the processors");
  if (!arguments.any_load) {
    throw core::EnvironmentError(
        text(found, ", so figures would be wrong: wait until the machine is quiet, or add --any-load"));
  }
  std::cerr << "warning: " << found << "; figures are those of a busy machine\n";
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<ops::Precision> chosen_precisions(const BenchArguments& arguments) {
  std::vector<ops::Precision> out;
  for (const std::string& name : arguments.precisions) out.push_back(ops::precision_from(name));
  if (out.empty()) out.assign(std::begin(ops::kAllPrecisions), std::end(ops::kAllPrecisions));
  return out;
}

core::ExitCode bench_command(int argc, const char* const* argv) {
  const auto arguments = parse_bench(argc, argv);
  if (!arguments) return core::ExitCode::kDone;
  core::Json result;
  if (arguments->benchmark == Benchmark::kKernels) {
    refuse_a_busy_machine(*arguments);
    result = bench_kernels(*arguments);
  } else if (arguments->benchmark == Benchmark::kOptim) {
    refuse_a_busy_machine(*arguments);
    result = bench_optim(*arguments);
  } else if (arguments->benchmark == Benchmark::kStates) {
    result = bench_states(*arguments);
  } else if (!arguments->shape.empty()) {
    refuse_a_busy_machine(*arguments);
    ops::configure_threads(0);
    result = bench_step(*arguments, nullptr);
  } else {
    config::LoadedConfig config = config::load_config(arguments->config, arguments->overrides);
    ops::configure_threads(config.values.model.threads);
    ProgressReporter reporter(std::cerr, progress_style(false, false), terminal_columns());
    Assembly assembly = assemble(std::move(config), loading_progress(reporter));
    if (assembly.config.values.method.first_order()) {
      throw core::UserError(text(arguments->config.string(), ": method.name is ",
                                 core::quoted(assembly.config.values.method.name),
                                 ", expected \"qzo\": only steps of that method, and its d, are measured here"));
    }
    refuse_a_busy_machine(*arguments);
    result = arguments->benchmark == Benchmark::kStep ? bench_step(*arguments, &assembly)
                                                      : bench_fidelity(*arguments, assembly);
  }
  result["environment"] = environment_json("see results");
  if (!arguments->json.empty()) core::write_file_atomically(arguments->json, result.dump(2) + "\n");
  return core::ExitCode::kDone;
}

}  // namespace qzo::cli
