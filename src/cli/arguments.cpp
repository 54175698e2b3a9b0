#include "qzo/cli/arguments.h"

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "cli/command_line.h"

namespace qzo::cli {
namespace {

[[noreturn]] void wrong_usage(const CLI::App& app, const std::string& problem) {
  throw core::UserError(core::text(problem, " (", app.get_name(), " --help shows the usage)"));
}

}  // namespace

std::optional<TrainArguments> parse_train(int argc, const char* const* argv) {
  TrainArguments out;
  std::string describe;
  CLI::App app("Fine-tunes a 4-bit language model by zeroth-order steps on its quantization scales.", "qzo-train");
  prepare(app);
  app.add_option("--config", out.config, "Recipe (JSON)");
  repeated(app, "--set", out.overrides, "KEY=VALUE, overrides the recipe; may be repeated");
  app.add_option("--resume", out.resume, "auto: continue the run in output.dir, or start it; DIR: continue that run");
  app.add_flag("--dry-run", out.dry_run, "Check everything, show settings, samples and memory; take no step");
  app.add_flag("--quiet", out.quiet, "Only the result and errors");
  app.add_flag("--json", out.json, "Events as JSON Lines on stdout");
  app.add_flag(
      "--no-held-out", out.no_held_out,
      "Do not score base and tuned checkpoint on the test file when all steps are done (qzo-eval does it later)");
  app.add_flag("--schema", out.schema, "Print the JSON Schema of recipes");
  auto* describe_option =
      app.add_option("--describe", describe, "Explain all keys, a group or one key")->expected(0, 1);
  app.add_option("--print-default", out.print_default, "Print a complete recipe for a format (gptq)");
  if (!parse(app, argc, argv)) return std::nullopt;
  if (describe_option->count() > 0) out.describe = describe;
  const bool documentation = out.schema || out.describe || !out.print_default.empty();
  const bool resume_folder = !out.resume.empty() && out.resume != "auto";
  if (!documentation && out.config.empty() && !resume_folder) wrong_usage(app, "--config RECIPE.json is missing");
  if (resume_folder && !out.config.empty()) {
    wrong_usage(app, "--resume DIR takes the recipe of that run: leave out --config, or use --resume auto");
  }
  return out;
}

std::optional<EvalArguments> parse_eval(int argc, const char* const* argv) {
  EvalArguments out;
  std::string text;
  CLI::App app("Scores a checkpoint, tuned or not, on a task, one sentence of your own, or a text (perplexity).",
               "qzo-eval");
  prepare(app);
  app.add_option("--model", out.model, "GGUF file, Hugging Face folder, or run folder (then its tuned model)")
      ->required();
  auto* config = app.add_option("--config", out.config, "Recipe with task and data; default: that of the run folder");
  repeated(app, "--set", out.overrides, "KEY=VALUE, overrides the recipe; may be repeated");
  auto* perplexity =
      app.add_option("--perplexity", out.perplexity, "Perplexity of this text file; needs no recipe")->excludes(config);
  app.add_option("--context", out.context, "Tokens of a window of --perplexity")
      ->check(CLI::Range(2, 1 << 20))
      ->needs(perplexity)
      ->capture_default_str();
  auto* split =
      app.add_option("--split", out.split, "Examples to score")->check(CLI::IsMember({"test", "dev", "train"}));
  split->capture_default_str();
  auto* text_option = app.add_option("--text", text, "A text of your own, for prompts with one field");
  repeated(app, "--field", out.fields, "NAME=VALUE, an example of your own; may be repeated");
  output_file(app, "--json", out.json, "Write the metrics to this file");
  output_file(app, "--predictions", out.predictions, "Write line, label and scores of each example to this CSV file");
  app.add_flag("--quiet", out.quiet, "No progress");
  if (!parse(app, argc, argv)) return std::nullopt;
  if (text_option->count() > 0) out.text = text;
  const bool own = out.text || !out.fields.empty();
  if (out.text && !out.fields.empty()) wrong_usage(app, "--text and --field exclude each other");
  if (!out.perplexity.empty() && (own || split->count() > 0 || !out.predictions.empty() || !out.overrides.empty())) {
    wrong_usage(app, "--perplexity scores a text: --text, --field, --split, --predictions and --set do not apply");
  }
  if (own && (split->count() > 0 || !out.predictions.empty() || !out.json.empty())) {
    wrong_usage(app, "--text and --field score one example: --split, --json and --predictions do not apply");
  }
  return out;
}

std::optional<InspectArguments> parse_inspect(int argc, const char* const* argv) {
  InspectArguments out;
  CLI::App app("Shows what a checkpoint or run holds, how two checkpoints differ, or what this machine can do.",
               "qzo-inspect");
  prepare(app);
  app.add_option("PATH", out.paths, "GGUF file, Hugging Face folder or run folder; two of them with --diff");
  app.add_flag("--diff", out.diff, "Compare two checkpoints: exit 0 if at most scales differ, else 1");
  app.add_flag("--machine", out.machine, "CPU features, kernel variants, threads, memory");
  if (!parse(app, argc, argv)) return std::nullopt;
  const std::size_t expected = out.machine ? 0 : out.diff ? 2 : 1;
  if (out.machine && out.diff) wrong_usage(app, "--machine and --diff exclude each other");
  if (out.paths.size() != expected) {
    wrong_usage(app, core::text("expected ", expected, expected == 1 ? " path" : " paths", ", got ", out.paths.size()));
  }
  return out;
}

std::optional<ReplayArguments> parse_replay(int argc, const char* const* argv) {
  ReplayArguments out;
  std::uint64_t step = 0;
  CLI::App app("Base checkpoint + journal or trajectory of a run = tuned checkpoint, byte for byte.", "qzo-replay");
  prepare(app);
  app.add_option("BASE", out.base, "Checkpoint that the run started from")->required();
  app.add_option("RUN", out.run, "Run folder, or a trajectory file")->required();
  app.add_option("OUT", out.out, "Where the tuned checkpoint goes: a .gguf file or a folder");
  auto* step_option =
      app.add_option("--step", step, "Replay this many steps; default: up to the best checkpoint of the run");
  app.add_flag("--verify", out.verify, "Compare OUT with RUN/model byte for byte; exit 1 if they differ");
  output_file(app, "--trajectory", out.trajectory,
              "Also write the run as a trajectory file (12 bytes a step) with a .json beside it");
  app.add_option("--config", out.config, "Recipe that says what was trained, for a trajectory without its .json");
  if (!parse(app, argc, argv)) return std::nullopt;
  if (step_option->count() > 0) out.step = step;
  if (out.out.empty() && out.trajectory.empty()) wrong_usage(app, "OUT is missing (or give --trajectory FILE)");
  if (out.verify && out.out.empty()) wrong_usage(app, "--verify needs OUT");
  if (out.verify && out.step) wrong_usage(app, "--verify compares with RUN/model, the best step: leave out --step");
  return out;
}

}  // namespace qzo::cli
