#pragma once
// Tokens of a text file and their perplexity: qzo-eval and qzo-quantize.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "qzo/cli/progress.h"
#include "qzo/models/causal_lm.h"
#include "qzo/objectives/perplexity.h"
#include "qzo/tokenizer/tokenizer.h"

namespace qzo::cli {

// BOS in front of the whole text where the model's convention puts one there. UserError for fewer than two tokens.
std::vector<std::int32_t> text_tokens(const std::filesystem::path& file, const tokenizer::Tokenizer& tokenizer);

// In windows of `context` tokens, in fp32; a warning if the model was made for shorter ones. `name` stands for the
// model in progress and errors. GuardError for a loss that is not finite.
objectives::Perplexity text_perplexity(models::CausalLm& model, const std::vector<std::int32_t>& tokens,
                                       std::int64_t context, const std::string& name, const std::filesystem::path& file,
                                       ProgressReporter& reporter);

}  // namespace qzo::cli
