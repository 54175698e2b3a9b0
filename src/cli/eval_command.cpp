#include <cmath>
#include <fstream>
#include <iostream>
#include <sstream>

#include "qzo/cli/arguments.h"
#include "qzo/cli/assemble.h"
#include "qzo/cli/chat_prompt.h"
#include "qzo/cli/commands.h"
#include "qzo/cli/environment.h"
#include "qzo/cli/locate.h"
#include "qzo/cli/progress.h"
#include "qzo/cli/score.h"
#include "qzo/cli/table.h"
#include "qzo/core/build_info.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/run_folder.h"
#include "qzo/core/text.h"
#include "qzo/ops/threads.h"
#include "qzo/train/json_values.h"

#include "cli/eval_perplexity.h"

namespace qzo::cli {
namespace {

namespace fs = std::filesystem;
using core::ExitCode;
using core::text;

config::LoadedConfig read_config(const EvalArguments& arguments) {
  if (!arguments.config.empty()) return load_any_config(arguments.config, arguments.overrides);
  if (!is_run_folder(arguments.model)) {
    throw core::UserError(text("--config RECIPE.json is missing: ", arguments.model.string(),
                               " is not a run folder, so its task is not known"));
  }
  return load_any_config(core::RunFolder{arguments.model}.config(), arguments.overrides);
}

std::map<std::string, std::string> own_example(const EvalArguments& arguments, const tasks::ClassificationTask& task) {
  const std::vector<std::string> names = prompt_fields(task.prompt);
  std::map<std::string, std::string> fields;
  if (arguments.text) {
    if (names.size() != 1) {
      throw core::UserError(text("--text fits prompts with one field; this prompt has ", names.size(), ": ",
                                 core::quoted(task.prompt, 200), ". Use --field NAME=VALUE for each"));
    }
    fields[names[0]] = *arguments.text;
  }
  for (const std::string& assignment : arguments.fields) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos)
      throw core::UserError(text("--field ", core::quoted(assignment), ": expected NAME=VALUE"));
    const std::string name = assignment.substr(0, equals);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw core::UserError(
          text("--field ", core::quoted(name), ": the prompt has no such field: ", core::quoted(task.prompt, 200)));
    }
    fields[name] = assignment.substr(equals + 1);
  }
  for (const std::string& name : names) {
    if (!fields.contains(name)) throw core::UserError(text("--field ", name, "=... is missing: the prompt needs it"));
  }
  return fields;
}

// Softmax over the scores, in double.
std::vector<double> probabilities(const std::vector<float>& scores) {
  const double highest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  std::vector<double> out;
  for (const float score : scores) sum += out.emplace_back(std::exp(score - highest));
  for (double& value : out) value /= sum;
  return out;
}

void answer_own_example(const EvalArguments& arguments, const tasks::EncodeOptions& options,
                        const tasks::ClassificationTask& task, const tokenizer::Tokenizer& tokenizer,
                        objectives::Classification& objective) {
  const tasks::Example example = tasks::encode_text(task, own_example(arguments, task), tokenizer, options);
  const std::vector<float> scores = objective.scores(std::span(&example, 1), true).at(0);
  const std::vector<double> shares = probabilities(scores);
  Table table({"answer", "label", "probability", "score"});
  for (std::size_t i = 0; i < scores.size(); ++i) {
    table.add({"\"" + task.candidates[i] + "\"", task.labels.empty() ? std::to_string(i) : task.labels[i],
               fixed(shares[i], 4), fixed(scores[i], 4)});
  }
  std::cout << table.str();
}

Split split_from(const std::string& name) {
  return name == "train" ? Split::kTrain : name == "dev" ? Split::kDev : Split::kTest;
}

// line,label,score of candidate 0,score of candidate 1,...
std::string predictions_csv(std::span<const tasks::Example> examples, const Scores& scores) {
  std::ostringstream out;
  out.precision(9);
  out << "line,label";
  for (std::size_t i = 0; i < examples[0].candidates.size(); ++i) out << ",score" << i;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    out << "\n" << examples[i].line << "," << examples[i].label;
    for (const float score : scores.scores[i]) out << "," << score;
  }
  out << "\n";
  return out.str();
}

void score_split(const EvalArguments& arguments, const config::LoadedConfig& config, const fs::path& checkpoint,
                 const tasks::ClassificationTask& task, const tokenizer::Tokenizer& tokenizer,
                 const tasks::EncodeOptions& options, objectives::Classification& objective) {
  const config::RunConfig& values = config.values;
  const auto examples = load_split(values.data, task, tokenizer, options, split_from(arguments.split));
  ProgressReporter reporter(std::cerr, progress_style(arguments.quiet, false), terminal_columns());
  const Scores scores = score_examples(objective, examples, values.train.batch_size,
                                       [&](double share) { reporter.show_status("scoring: " + percent(share, 0)); });
  const tasks::Metrics metrics = scores.metrics();
  if (!arguments.predictions.empty())
    core::write_file_atomically(arguments.predictions, predictions_csv(examples, scores));
  if (!arguments.json.empty()) {
    const core::Json report = {{"model", checkpoint.string()},
                               {"split", arguments.split},
                               {"metrics", train::metrics_json(metrics)},
                               {"config", config::effective_json(config)},
                               {"environment", environment_json("fp32")}};
    core::write_file_atomically(arguments.json, report.dump(2) + "\n");
  }
  Table table({arguments.split, "n", "accuracy", "loss", "AUC"});
  table.add({checkpoint.filename().string(), grouped(metrics.count),
             text(fixed(100 * metrics.accuracy, 1), " ± ", percent(metrics.accuracy_se)),
             text(fixed(metrics.loss, 4), " ± ", fixed(metrics.loss_se, 4)), fixed(metrics.auc, 4)});
  std::cout << table.str();
}

}  // namespace

ExitCode eval_command(int argc, const char* const* argv) {
  const auto arguments = parse_eval(argc, argv);
  if (!arguments) return ExitCode::kDone;
  if (!arguments->perplexity.empty()) {
    evaluate_perplexity(*arguments);
    return ExitCode::kDone;
  }
  config::LoadedConfig config = read_config(*arguments);
  ops::configure_threads(config.values.model.threads);
  const fs::path checkpoint = find_checkpoint(arguments->model);
  const tasks::ClassificationTask task = make_task(config.values.task);
  ProgressReporter reporter(std::cerr, progress_style(arguments->quiet, false), terminal_columns());
  const LoadedModel loaded = load_model(checkpoint, quant_options(config.values), loading_progress(reporter));
  const auto tokenizer = load_tokenizer(*loaded.checkpoint, *loaded.model);
  objectives::Classification objective(*loaded.model, evaluation_options(config.values));
  const tasks::EncodeOptions options = encode_options(config.values, *loaded.checkpoint, *tokenizer);
  if (arguments->text || !arguments->fields.empty()) {
    answer_own_example(*arguments, options, task, *tokenizer, objective);
  } else {
    score_split(*arguments, config, checkpoint, task, *tokenizer, options, objective);
  }
  return ExitCode::kDone;
}

}  // namespace qzo::cli
