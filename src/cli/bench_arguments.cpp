#include "qzo/cli/bench_arguments.h"

#include <iostream>

#include <CLI/CLI.hpp>

#include "qzo/core/build_info.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/ops/precision.h"

namespace qzo::cli {
namespace {

std::vector<std::string> precision_names() {
  std::vector<std::string> names;
  for (const ops::Precision precision : ops::kAllPrecisions) names.push_back(ops::precision_name(precision));
  return names;
}

void common_options(CLI::App& app, BenchArguments& out) {
  app.add_option("--json", out.json, "Write the results to this file");
  app.add_option("--precision", out.precisions, "Only this one; may be repeated")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(precision_names()));
  app.add_flag("--any-load", out.any_load, "Measure although other programs keep the machine busy");
}

void recipe_options(CLI::App& app, BenchArguments& out) {
  app.add_option("--config", out.config, "Recipe (JSON)")->required();
  app.add_option("--set", out.overrides, "KEY=VALUE, overrides the recipe; may be repeated")->allow_extra_args(false);
}

}  // namespace

std::optional<BenchArguments> parse_bench(int argc, const char* const* argv) {
  BenchArguments out;
  CLI::App app("Measures kernels, a training step, or how faithful its derivative is in each precision.", "qzo-bench");
  app.set_version_flag("--version", core::build_text());
  app.require_subcommand(1);
  auto* kernels = app.add_subcommand("kernels", "Matrix products beside LibTorch's dense at::linear, in one process");
  kernels->add_option("--rows", out.rows, "Rows of both signs together")->check(CLI::Range(2, 1 << 20));
  kernels->add_option("--repeats", out.repeats, "Measurements of each; medians are reported")
      ->check(CLI::Range(3, 999));
  kernels->add_flag("--quick", out.quick, "Three shapes, one thread count: under a minute");
  auto* step = app.add_subcommand("step", "Seconds of a training step by part");
  step->add_option("--repeats", out.repeats, "Steps measured; medians are reported")->check(CLI::Range(3, 999));
  auto* fidelity = app.add_subcommand("fidelity", "Slope, correlation and error of d in each precision against fp32");
  fidelity->add_option("--draws", out.draws, "Draws of noise")->check(CLI::Range(2, 100000));
  recipe_options(*step, out);
  recipe_options(*fidelity, out);
  for (CLI::App* command : {kernels, step, fidelity}) common_options(*command, out);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {
    app.exit(request, std::cout, std::cerr);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw core::UserError(core::text(error.what(), " (qzo-bench --help shows the usage)"));
  }
  out.benchmark = step->parsed() ? Benchmark::kStep : fidelity->parsed() ? Benchmark::kFidelity : Benchmark::kKernels;
  return out;
}

}  // namespace qzo::cli
