#include "qzo/cli/bench_arguments.h"

#include "qzo/core/error.h"
#include "qzo/ops/precision.h"
#include "qzo/optim/registry.h"

#include "cli/bench.h"
#include "cli/command_line.h"
#include "cli/synthetic_checkpoint.h"

namespace qzo::cli {
namespace {

std::vector<std::string> precision_names() {
  std::vector<std::string> names;
  for (const ops::Precision precision : ops::kAllPrecisions) names.push_back(ops::precision_name(precision));
  return names;
}

void precision_option(CLI::App& app, BenchArguments& out) {
  repeated(app, "--precision", out.precisions, "Only this one; may be repeated")
      ->check(CLI::IsMember(precision_names()));
}

void common_options(CLI::App& app, BenchArguments& out) {
  output_file(app, "--json", out.json, "Write the results to this file");
  app.add_flag("--any-load", out.any_load, "Measure although other programs keep the machine busy");
}

CLI::Option* recipe_options(CLI::App& app, BenchArguments& out) {
  repeated(app, "--set", out.overrides, "KEY=VALUE, overrides the recipe; may be repeated");
  return app.add_option("--config", out.config, "Recipe (JSON)");
}

void shape_options(CLI::App& app, BenchArguments& out, CLI::Option* config) {
  auto* shape = app.add_option("--shape", out.shape, "Random weights of this shape in memory instead of a recipe")
                    ->check(CLI::IsMember(synthetic_shapes()))
                    ->excludes(config);
  app.add_option("--format", out.format, "Weight format of --shape")
      ->check(CLI::IsMember(synthetic_formats()))
      ->needs(shape);
  app.add_option("--group", out.group, "Group size of format gptq, a multiple of 8")
      ->check(CLI::IsMember({32, 64, 128}))
      ->needs(shape);
  app.add_option("--sequences", out.sequences, "Sequences of a batch of --shape")
      ->check(CLI::Range(1, 4096))
      ->needs(shape);
  app.add_option("--tokens", out.tokens, "Tokens of a sequence of --shape")->check(CLI::Range(1, 4096))->needs(shape);
}

}  // namespace

std::optional<BenchArguments> parse_bench(int argc, const char* const* argv) {
  BenchArguments out;
  CLI::App app("Measures kernels, optimizers, a training step, or how faithful its derivative is in each precision.",
               "qzo-bench");
  prepare(app);
  app.require_subcommand(1);
  auto* kernels = app.add_subcommand("kernels", "Matrix products beside LibTorch's dense at::linear, in one process");
  kernels->add_option("--rows", out.rows, "Rows of both signs together")->check(CLI::Range(2, 1 << 20));
  kernels->add_option("--repeats", out.repeats, "Measurements of each; medians are reported")
      ->check(CLI::Range(1, 999));
  repeated(*kernels, "--format", out.formats, "Only this one; may be repeated")->check(CLI::IsMember(kernel_formats()));
  kernels->add_option("--matrix", out.matrix, "OUTPUTS INPUTS of the only weight measured; default: seven shapes")
      ->expected(2)
      ->check(CLI::Range(256, 1 << 17));
  kernels->add_flag("--quick", out.quick, "Three shapes, one thread count: under a minute");
  auto* step = app.add_subcommand("step", "Seconds of a training step by part");
  step->add_option("--repeats", out.repeats, "Steps measured; medians are reported")->check(CLI::Range(1, 999));
  auto* fidelity = app.add_subcommand("fidelity", "Slope, correlation and error of d in each precision");
  fidelity->add_option("--draws", out.draws, "Draws of noise")->check(CLI::Range(2, 100000));
  fidelity->add_option("--reference", out.reference, "What d is compared with: double precision, or the fp32 kernels")
      ->check(CLI::IsMember({"double", "fp32"}));
  auto* optim = app.add_subcommand("optim", "Optimizer steps beside LibTorch's fused fp32 AdamW, in one process");
  repeated(*optim, "--optimizer", out.optimizers, "Only this one; may be repeated")
      ->check(CLI::IsMember(optim::optimizer_names()));
  repeated(*optim, "--params", out.params, "Millions of parameters (default: 25 and 500); may be repeated")
      ->check(CLI::Range(1, 100000));
  repeated(*optim, "--threads", out.threads, "Threads (default: 1 and all); may be repeated")
      ->check(CLI::Range(1, 1024));
  optim->add_option("--repeats", out.repeats, "Steps measured; medians are reported")->check(CLI::Range(3, 999));
  auto* states = app.add_subcommand("states", "Memory that the states of optimizers take on a published model's shape");
  states->add_option("--shape", out.shape, "Model")->check(CLI::IsMember(synthetic_shapes()))->required();
  repeated(*states, "--optimizer", out.optimizers, "Only this one; may be repeated")
      ->check(CLI::IsMember(optim::optimizer_names()));
  output_file(*states, "--json", out.json, "Write the results to this file");
  shape_options(*step, out, recipe_options(*step, out));
  recipe_options(*fidelity, out)->required();
  for (CLI::App* command : {kernels, step, fidelity}) precision_option(*command, out);
  for (CLI::App* command : {kernels, step, fidelity, optim}) common_options(*command, out);
  if (!parse(app, argc, argv)) return std::nullopt;
  if (optim->parsed() || states->parsed()) {
    out.benchmark = optim->parsed() ? Benchmark::kOptim : Benchmark::kStates;
    return out;
  }
  if (step->parsed() && out.config.empty() && out.shape.empty())
    throw core::UserError("qzo-bench step: neither --config nor --shape was given, expected one of them");
  out.benchmark = step->parsed() ? Benchmark::kStep : fidelity->parsed() ? Benchmark::kFidelity : Benchmark::kKernels;
  return out;
}

}  // namespace qzo::cli
