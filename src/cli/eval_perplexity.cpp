#include "cli/eval_perplexity.h"

#include <cmath>
#include <iostream>

#include "qzo/cli/assemble.h"
#include "qzo/cli/environment.h"
#include "qzo/cli/locate.h"
#include "qzo/cli/progress.h"
#include "qzo/cli/table.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"
#include "qzo/objectives/perplexity.h"
#include "qzo/ops/threads.h"

namespace qzo::cli {
namespace {

using core::text;

// BOS in front of the whole text where the model's convention puts one there.
std::vector<std::int32_t> tokens_of(const std::filesystem::path& file, const tokenizer::Tokenizer& tokenizer) {
  std::vector<std::int32_t> tokens = tokenizer.encode(core::read_file(file));
  if (tokenizer.adds_bos() && tokenizer.bos()) tokens.insert(tokens.begin(), *tokenizer.bos());
  if (tokens.size() < 2) {
    throw core::UserError(
        text(file.string(), " has ", tokens.size(), " tokens, expected at least two: give a longer text"));
  }
  return tokens;
}

}  // namespace

void evaluate_perplexity(const EvalArguments& arguments) {
  ops::configure_threads(0);
  const std::filesystem::path checkpoint = find_checkpoint(arguments.model);
  const LoadedModel loaded = load_model(checkpoint, {});
  const auto tokenizer = load_tokenizer(*loaded.checkpoint, *loaded.model);
  const std::vector<std::int32_t> tokens = tokens_of(arguments.perplexity, *tokenizer);
  const std::int64_t positions = loaded.model->summary().max_positions;
  if (positions > 0 && arguments.context > positions) {
    core::log_warning(text("--context ", arguments.context, " is longer than the ", positions,
                           " positions that the model was made for"));
  }
  ProgressReporter reporter(std::cerr, progress_style(arguments.quiet, false), terminal_columns());
  const objectives::Perplexity result =
      objectives::measure_perplexity(*loaded.model, tokens, {.context = arguments.context},
                                     [&](double share) { reporter.show_status("perplexity: " + percent(share, 0)); });
  if (!std::isfinite(result.loss)) {
    throw core::GuardError(text(checkpoint.string(), ": the loss on ", arguments.perplexity.string(), " is ",
                                result.loss, ": the model's weights or its settings are damaged"));
  }
  if (!arguments.json.empty()) {
    const core::Json report = {{"model", checkpoint.string()},
                               {"text", arguments.perplexity.string()},
                               {"context", arguments.context},
                               {"tokens_scored", result.scored},
                               {"windows", result.windows},
                               {"loss", result.loss},
                               {"loss_standard_error", result.standard_error},
                               {"perplexity", result.value()},
                               {"environment", environment_json("fp32")}};
    core::write_file_atomically(arguments.json, report.dump(2) + "\n");
  }
  Table table({"perplexity", "loss", "tokens scored", "windows of"});
  table.add({text(fixed(result.value(), 4), " ± ", fixed(result.value() * result.standard_error, 4)),
             fixed(result.loss, 5), grouped(result.scored), text(arguments.context)});
  std::cout << table.str();
}

}  // namespace qzo::cli
