#include "qzo/objectives/answer_loss.h"

#include <tuple>

#include "qzo/core/check.h"

#include "objectives/scoring.h"

namespace qzo::objectives {

namespace {

using Examples = std::span<const PromptAnswer* const>;
using Values = std::vector<std::vector<float>>;  // [example][answer token], log-probabilities

std::vector<std::int64_t> add_example(models::PrefixTree& tree, const PromptAnswer& example, Sharing sharing) {
  return predicting_rows(tree, example_root(tree, sharing), example.prompt, example.answer);
}

// One pass; per sign.
std::vector<Values> pass_values(models::CausalLm& model, Examples examples, Sharing sharing,
                                const models::ForwardContext& context) {
  models::PrefixTree tree;
  ScoredRows scored;
  std::vector<Query> queries;
  for (const PromptAnswer* example : examples) {
    const std::vector<std::int64_t> rows = add_example(tree, *example, sharing);
    for (std::size_t t = 0; t < rows.size(); ++t) queries.push_back({scored.index(rows[t]), example->answer[t]});
  }
  models::PackedBatch batch = tree.pack();
  batch.scored = scored.rows();
  const auto flat = log_probabilities(model, model.forward(batch, context), queries, context);
  std::vector<Values> out(flat.size());
  for (std::size_t sign = 0; sign < flat.size(); ++sign) {
    auto next = flat[sign].begin();
    for (const PromptAnswer* example : examples) {
      const auto end = next + static_cast<std::ptrdiff_t>(example->answer.size());
      out[sign].emplace_back(next, end);
      next = end;
    }
  }
  return out;
}

// Token by token in the order of the examples, however they were computed.
double mean_loss(const Values& values, std::span<const std::size_t> index) {
  double sum = 0;
  std::int64_t tokens = 0;
  for (const std::size_t i : index) {
    for (const float value : values[i]) sum -= value;
    tokens += static_cast<std::int64_t>(values[i].size());
  }
  return sum / static_cast<double>(tokens);
}

// Per sign.
std::vector<double> mean_losses(models::CausalLm& model, const ObjectiveOptions& options,
                                std::span<const PromptAnswer> examples, const quant::ScaleMode& mode) {
  QZO_CHECK(!examples.empty());
  const auto once = distinct(examples, options.sharing,
                             [](const PromptAnswer& example) { return std::tie(example.prompt, example.answer); });
  const auto add = [&](models::PrefixTree& tree, std::size_t i) { add_example(tree, *once.items[i], options.sharing); };
  const auto parts = passes(once.items.size(), options.max_tokens_per_pass, add);
  return for_signs(mode, options.stacked_signs, [&](const quant::ScaleMode& walked) {
    const models::ForwardContext context{walked, options.precision};
    const std::vector<Values> values = in_passes<Values>(parts, context, [&](std::size_t begin, std::size_t end) {
      return pass_values(model, Examples(once.items).subspan(begin, end - begin), options.sharing, context);
    });
    std::vector<double> losses;
    for (const Values& of_sign : values) losses.push_back(mean_loss(of_sign, once.index));
    return losses;
  });
}

}  // namespace

zo::LossPair AnswerLoss::loss(std::span<const PromptAnswer> examples, const kernels::Probe& probe) {
  const std::vector<double> losses = mean_losses(model_, options_, examples, {.probe = &probe});
  QZO_CHECK(losses.size() == 2, "a probe of both signs is needed");
  return {losses[0], losses[1]};
}

double AnswerLoss::loss(std::span<const PromptAnswer> examples) {
  return mean_losses(model_, options_, examples, {})[0];
}

}  // namespace qzo::objectives
