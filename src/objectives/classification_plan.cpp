#include "objectives/classification_plan.h"

#include "qzo/core/check.h"

namespace qzo::objectives {

models::PackedBatch ClassificationPlan::batch() const {
  models::PackedBatch out = tree.pack();
  out.scored = scored.rows();
  return out;
}

std::vector<std::vector<std::int64_t>> add_example(models::PrefixTree& tree, const tasks::Example& example,
                                                   Sharing sharing) {
  std::vector<std::vector<std::int64_t>> rows;
  const std::int64_t root = example_root(tree, sharing);
  for (const auto& candidate : example.candidates) {
    const std::int64_t own = sharing == Sharing::kNothing ? tree.new_root() : root;
    rows.push_back(predicting_rows(tree, own, example.prompt, candidate));
  }
  return rows;
}

ClassificationPlan make_plan(std::span<const tasks::Example* const> examples, Sharing sharing) {
  ClassificationPlan plan;
  for (const tasks::Example* example : examples) {
    const auto rows = add_example(plan.tree, *example, sharing);
    const auto unscored = static_cast<std::size_t>(example->unscored);
    auto& queries = example->single_token() ? plan.logits : plan.log_probabilities;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      QZO_CHECK(rows[k].size() > unscored, "a candidate of ", rows[k].size(), " tokens, ", unscored, " unscored");
      for (std::size_t t = unscored; t < rows[k].size(); ++t) {
        queries.push_back({plan.scored.index(rows[k][t]), example->candidates[k][t]});
      }
    }
  }
  return plan;
}

}  // namespace qzo::objectives
