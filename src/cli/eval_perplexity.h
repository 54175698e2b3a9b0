#pragma once
// qzo-eval --perplexity: needs a model and a text, no recipe.

#include "qzo/cli/arguments.h"

namespace qzo::cli {

void evaluate_perplexity(const EvalArguments& arguments);

}  // namespace qzo::cli
