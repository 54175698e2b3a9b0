#pragma once
// What one pass over examples computes and asks, the same for losses and for gradients.

#include <vector>

#include "qzo/models/prefix_tree.h"
#include "qzo/objectives/classification.h"

#include "objectives/scoring.h"

namespace qzo::objectives {

// One pass: its sequences, and what is asked of their rows, by example, candidate, token.
struct ClassificationPlan {
  models::PrefixTree tree;
  ScoredRows scored;
  std::vector<Query> logits;             // of the examples with one token a candidate
  std::vector<Query> log_probabilities;  // of all others

  [[nodiscard]] models::PackedBatch batch() const;
};

// Adds the sequences of an example. Per candidate the rows that predict its tokens.
std::vector<std::vector<std::int64_t>> add_example(models::PrefixTree& tree, const tasks::Example& example,
                                                   Sharing sharing);

ClassificationPlan make_plan(std::span<const tasks::Example* const> examples, Sharing sharing);

}  // namespace qzo::objectives
