#pragma once
// Examples as the model sees them, decoded, with the answer marked: what --dry-run shows.

#include <cstddef>
#include <span>
#include <string>

#include "qzo/tasks/classification.h"
#include "qzo/tokenizer/tokenizer.h"

namespace qzo::cli {

// The first `count` examples: "line 7, 12 tokens: <BOS>the film was It was >>> great<<<   (or: terrible)".
std::string samples_text(std::span<const tasks::Example> examples, const tokenizer::Tokenizer& tokenizer,
                         std::size_t count);

// How many examples, tokens, cuts: one paragraph.
std::string lengths_text(const std::string& name, std::span<const tasks::Example> examples);

}  // namespace qzo::cli
