#include "qzo/cli/text_perplexity.h"

#include <cmath>

#include "qzo/cli/table.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"

namespace qzo::cli {

using core::text;

std::vector<std::int32_t> text_tokens(const std::filesystem::path& file, const tokenizer::Tokenizer& tokenizer) {
  std::vector<std::int32_t> tokens = tokenizer.encode(core::read_file(file));
  if (tokenizer.adds_bos() && tokenizer.bos()) tokens.insert(tokens.begin(), *tokenizer.bos());
  if (tokens.size() < 2) {
    throw core::UserError(
        text(file.string(), " has ", tokens.size(), " tokens, expected at least two: give a longer text"));
  }
  return tokens;
}

objectives::Perplexity text_perplexity(models::CausalLm& model, const std::vector<std::int32_t>& tokens,
                                       std::int64_t context, const std::string& name, const std::filesystem::path& file,
                                       ProgressReporter& reporter) {
  const std::int64_t positions = model.summary().max_positions;
  if (positions > 0 && context > positions) {
    core::log_warning(
        text("--context ", context, " is longer than the ", positions, " positions that the model was made for"));
  }
  const objectives::Perplexity result =
      objectives::measure_perplexity(model, tokens, {.context = context},
                                     [&](double share) { reporter.show_status("perplexity: " + percent(share, 0)); });
  if (!std::isfinite(result.loss)) {
    throw core::GuardError(text(name, ": the loss on ", file.string(), " is ", result.loss,
                                ": the model's weights or its settings are damaged"));
  }
  return result;
}

}  // namespace qzo::cli
