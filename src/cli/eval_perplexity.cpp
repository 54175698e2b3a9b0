#include "cli/eval_perplexity.h"

#include <iostream>

#include "qzo/cli/assemble.h"
#include "qzo/cli/environment.h"
#include "qzo/cli/locate.h"
#include "qzo/cli/progress.h"
#include "qzo/cli/table.h"
#include "qzo/cli/text_perplexity.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"
#include "qzo/ops/threads.h"

namespace qzo::cli {

using core::text;

void evaluate_perplexity(const EvalArguments& arguments) {
  ops::configure_threads(0);
  const std::filesystem::path checkpoint = find_checkpoint(arguments.model);
  const LoadedModel loaded = load_model(checkpoint, {});
  const auto tokenizer = load_tokenizer(*loaded.checkpoint, *loaded.model);
  const std::vector<std::int32_t> tokens = text_tokens(arguments.perplexity, *tokenizer);
  ProgressReporter reporter(std::cerr, progress_style(arguments.quiet, false), terminal_columns());
  const objectives::Perplexity result =
      text_perplexity(*loaded.model, tokens, arguments.context, checkpoint.string(), arguments.perplexity, reporter);
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
