#include <csignal>
#include <iostream>

#include "qzo/cli/arguments.h"
#include "qzo/cli/commands.h"
#include "qzo/cli/first_order_memory.h"
#include "qzo/cli/locate.h"
#include "qzo/cli/memory_plan.h"
#include "qzo/cli/progress.h"
#include "qzo/cli/result_text.h"
#include "qzo/cli/score.h"
#include "qzo/cli/table.h"
#include "qzo/cli/training_problem.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/memory.h"
#include "qzo/core/text.h"
#include "qzo/ops/threads.h"

#include "cli/choose_precision.h"
#include "cli/dry_run.h"

namespace qzo::cli {
namespace {

namespace fs = std::filesystem;
using core::ExitCode;
using core::text;

bool print_documentation(const TrainArguments& arguments) {
  if (arguments.schema) std::cout << config::json_schema().dump(2) << "\n";
  if (arguments.describe) std::cout << config::describe_keys(*arguments.describe);
  if (!arguments.print_default.empty()) std::cout << config::default_config(arguments.print_default).dump(2) << "\n";
  return arguments.schema || arguments.describe || !arguments.print_default.empty();
}

config::LoadedConfig read_config(const TrainArguments& arguments) {
  if (!arguments.config.empty()) return config::load_config(arguments.config, arguments.overrides);
  const core::RunFolder run{arguments.resume};
  if (!fs::exists(run.config())) {
    throw core::UserError(
        text("--resume ", arguments.resume, ": there is no ", run.config().string(),
             ", so this is not a run folder. Give the output.dir of a run, or --config with --resume auto."));
  }
  config::LoadedConfig config = load_any_config(run.config(), arguments.overrides);
  // The folder may have been moved since.
  config.values.output.dir = fs::absolute(run.root).lexically_normal();
  return config;
}

void refuse_existing_run(const TrainArguments& arguments, const fs::path& folder) {
  if (!arguments.resume.empty() || !fs::exists(folder)) return;
  if (fs::is_directory(folder) && fs::is_empty(folder)) return;
  throw core::UserError(text("output.dir ", folder.string(),
                             " exists already. Continue that run with --resume auto, or name ",
                             "another folder with --set output.dir=..."));
}

// The loop notices other settings by their hash; here their names are known.
void refuse_changed_settings(const core::RunFolder& run, const config::RunConfig& here) {
  if (!fs::exists(run.journal()) || !fs::exists(run.config())) return;
  const config::RunConfig there = config::from_effective_json(core::read_json(run.config()), run.config().string());
  const std::vector<std::string> differences = config::trajectory_differences(there, here);
  if (differences.empty()) return;
  std::string message =
      text(run.root.string(), " holds a run with other settings; a run cannot change these on the way:");
  for (const std::string& difference : differences) message += "\n  " + difference;
  throw core::UserError(message + "\nTake the old settings, or start another run with --set output.dir=...");
}

// Base and tuned checkpoint on the test file (or the dev set, if there is none), both read from their files.
HeldOut score_held_out(Assembly& assembly, const fs::path& tuned, ProgressReporter& reporter) {
  const config::RunConfig& values = assembly.config.values;
  const bool test = !assembly.examples.test.empty();
  const std::vector<tasks::Example>& examples = test ? assembly.examples.test : assembly.examples.dev;
  const auto scores = [&](const fs::path& path, std::span<const tasks::Example> part) {
    const LoadedModel loaded = load_model(path, quant_options(values));
    objectives::Classification objective(*loaded.model, evaluation_options(values));
    return score_examples(objective, part, values.train.batch_size, [&](double share) {
      reporter.show_status(text("scoring ", path.filename().string(), ": ", percent(share, 0)));
    });
  };
  HeldOut out;
  out.name = test ? "test" : "dev";
  reporter.on_message(text("scoring base and tuned checkpoint on ", examples.size(), " ", out.name, " examples"));
  // The training state is not needed any more; its memory serves the two models loaded now.
  assembly.base.model.reset();
  assembly.base.checkpoint.reset();
  const Scores base = scores(values.model.path, examples);
  const Scores tuned_scores = scores(tuned, examples);
  out.base = base.metrics();
  out.tuned = tuned_scores.metrics();
  if (assembly.task.candidates.size() == 2) {
    const Scores train = scores(values.model.path, assembly.examples.train);
    out.base_at_tuned_threshold =
        tasks::accuracy_at_threshold(base.scores, base.labels, tasks::best_threshold(train.scores, train.labels));
  }
  return out;
}

std::string next_command(const Assembly& assembly, const fs::path& run) {
  const std::vector<std::string> fields = prompt_fields(assembly.task.prompt);
  std::string command = text("qzo-eval --model ", run.string());
  if (fields.size() == 1) return command + " --text \"a text of your own\"";
  for (const std::string& field : fields) command += text(" --field ", field, "=\"...\"");
  return command;
}

// A run keeps the arithmetic it began with.
void take_precision_of(const core::RunFolder& run, config::LoadedConfig& here) {
  if (!fs::exists(run.config())) return;
  const config::RunConfig there = config::from_effective_json(core::read_json(run.config()), run.config().string());
  config::resolve_auto(here, "model.precision", there.model.precision);
}

void decide_precision(Assembly& assembly, ProgressReporter& reporter) {
  if (assembly.config.values.model.precision != "auto") return;
  const PrecisionChoice choice = choose_precision(
      assembly, [&](double share) { reporter.show_status("choosing the precision: " + percent(share, 0)); });
  config::resolve_auto(assembly.config, "model.precision", ops::precision_name(choice.precision));
  reporter.on_message("precision " + choice.reason);
}

// What a run comes to, and the memory that was planned for it.
struct Trained {
  train::LoopResult result;
  std::uint64_t planned = 0;
};

Trained train_scales(Assembly& assembly, std::uint64_t runtime_bytes, train::Resume resume,
                     ProgressReporter& reporter) {
  decide_precision(assembly, reporter);
  const MemoryInputs memory = memory_inputs(assembly, runtime_bytes);
  const std::uint64_t planned = plan_memory(memory).total();
  if (planned > usable_memory()) {
    reporter.on_message("this run may need more memory than there is\n" + memory_text(memory, usable_memory()));
  }
  TrainingProblem problem(assembly);
  const core::RunFolder run{assembly.config.values.output.dir};
  return {train::run(problem, loop_settings(assembly), run, resume, reporter), planned};
}

Trained train_by_gradients(Assembly& assembly, std::uint64_t runtime_bytes, train::Resume resume,
                           ProgressReporter& reporter) {
  FirstOrderProblem problem(assembly);
  train::FirstOrder method(problem, first_order_settings(assembly.config.values));
  const MemoryPlan memory = first_order_memory(assembly, problem, method.optimizer(), runtime_bytes);
  if (memory.total() > usable_memory()) {
    reporter.on_message("this run may need more memory than there is\n" + memory_text(memory, usable_memory()));
  }
  const core::RunFolder run{assembly.config.values.output.dir};
  return {train::run(method, loop_settings(assembly), run, resume, reporter), memory.total()};
}

ExitCode train(const TrainArguments& arguments, Assembly& assembly, std::uint64_t runtime_bytes,
               ProgressReporter& reporter) {
  const core::RunFolder run{assembly.config.values.output.dir};
  const auto resume = arguments.resume.empty() ? train::Resume::kNo : train::Resume::kAuto;
  const bool by_gradients = assembly.config.values.method.first_order();
  const auto [result, planned] = by_gradients ? train_by_gradients(assembly, runtime_bytes, resume, reporter)
                                              : train_scales(assembly, runtime_bytes, resume, reporter);
  if (result.signal != 0) {
    reporter.on_message(text("interrupted after step ", result.steps_done,
                             "; state saved. Continue with qzo-train --resume ", run.root.string()));
    return result.signal == SIGTERM ? ExitCode::kTerminated : ExitCode::kInterrupted;
  }
  const fs::path tuned = by_gradients ? result.model : exported_path(*assembly.base.checkpoint, result.model);
  std::optional<HeldOut> held_out;
  if (!arguments.no_held_out) {
    held_out = score_held_out(assembly, tuned, reporter);
    core::write_file_atomically(run.root / "held_out.json", held_out_json(*held_out).dump(2) + "\n");
  }
  std::ostream& out = arguments.json ? std::cerr : std::cout;
  out << result_text(result, static_cast<std::uint64_t>(assembly.config.values.train.steps), planned,
                     held_out ? &*held_out : nullptr)
      << "tuned checkpoint: " << tuned.string() << "\ntry it: " << next_command(assembly, run.root) << "\n";
  return ExitCode::kDone;
}

}  // namespace

ExitCode train_command(int argc, const char* const* argv) {
  const std::uint64_t runtime_bytes = core::resident_bytes();
  const auto arguments = parse_train(argc, argv);
  if (!arguments || print_documentation(*arguments)) return ExitCode::kDone;
  config::LoadedConfig config = read_config(*arguments);
  refuse_existing_run(*arguments, config.values.output.dir);
  ops::configure_threads(config.values.model.threads);
  ProgressReporter reporter(arguments->json ? std::cout : std::cerr, progress_style(arguments->quiet, arguments->json),
                            terminal_columns());
  Assembly assembly = assemble(std::move(config), loading_progress(reporter));
  if (!arguments->resume.empty()) {
    take_precision_of(core::RunFolder{assembly.config.values.output.dir}, assembly.config);
    refuse_changed_settings(core::RunFolder{assembly.config.values.output.dir}, assembly.config.values);
  }
  if (arguments->dry_run) {
    std::cout << dry_run_text(assembly, runtime_bytes);
    return ExitCode::kDone;
  }
  return train(*arguments, assembly, runtime_bytes, reporter);
}

}  // namespace qzo::cli
