#include "qzo/objectives/classification.h"

#include <map>
#include <tuple>

#include "qzo/core/check.h"
#include "qzo/tasks/metrics.h"

#include "objectives/classification_plan.h"
#include "objectives/scoring.h"

namespace qzo::objectives {

namespace {

using Examples = std::span<const tasks::Example* const>;
using Scores = std::vector<std::vector<float>>;  // [example][candidate]

// logit(target | row), per sign, in the order of the queries.
std::vector<std::vector<float>> asked_logits(models::CausalLm& model, const at::Tensor& hidden,
                                             std::span<const Query> queries, const models::ForwardContext& context) {
  std::map<std::int32_t, std::int64_t> columns;
  for (const Query& query : queries) columns.emplace(query.target, 0);
  std::vector<std::int32_t> tokens;
  for (auto& [token, column] : columns) {
    column = static_cast<std::int64_t>(tokens.size());
    tokens.push_back(token);
  }
  const at::Tensor logits = model.token_logits(hidden, tokens, context).contiguous();
  const auto scored = hidden.size(0) / context.signs();
  std::vector<std::vector<float>> out(static_cast<std::size_t>(context.signs()));
  for (std::size_t sign = 0; sign < out.size(); ++sign) {
    const float* of_sign = logits.const_data_ptr<float>() + static_cast<std::int64_t>(sign) * scored * logits.size(1);
    for (const Query& query : queries) {
      out[sign].push_back(of_sign[query.row * logits.size(1) + columns.at(query.target)]);
    }
  }
  return out;
}

// The mean of as many values as there are scored tokens, which are taken from the front.
float take_mean(std::span<const float>& values, std::size_t tokens) {
  double sum = 0;
  for (const float value : values.first(tokens)) sum += value;
  values = values.subspan(tokens);
  return static_cast<float>(sum / static_cast<double>(tokens));
}

// One pass; scores per sign.
std::vector<Scores> pass_scores(models::CausalLm& model, Examples examples, Sharing sharing,
                                const models::ForwardContext& context) {
  const ClassificationPlan plan = make_plan(examples, sharing);
  const at::Tensor hidden = model.forward(plan.batch(), context);
  std::vector<Scores> out(static_cast<std::size_t>(context.signs()), Scores(examples.size()));
  std::vector<std::vector<float>> logits(out.size()), log_values(out.size());
  if (!plan.logits.empty()) logits = asked_logits(model, hidden, plan.logits, context);
  if (!plan.log_probabilities.empty()) log_values = log_probabilities(model, hidden, plan.log_probabilities, context);
  for (std::size_t sign = 0; sign < out.size(); ++sign) {
    std::span<const float> single = logits[sign], longer = log_values[sign];
    for (std::size_t i = 0; i < examples.size(); ++i) {
      auto& values = examples[i]->single_token() ? single : longer;
      for (const auto& candidate : examples[i]->candidates) {
        out[sign][i].push_back(take_mean(values, candidate.size() - static_cast<std::size_t>(examples[i]->unscored)));
      }
    }
  }
  return out;
}

double mean_cross_entropy(const Scores& scores, std::span<const tasks::Example> examples) {
  double total = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    total += tasks::cross_entropy(scores[i], static_cast<std::size_t>(examples[i].label));
  }
  return total / static_cast<double>(examples.size());
}

}  // namespace

std::vector<Scores> Classification::signed_scores(std::span<const tasks::Example> examples,
                                                  const quant::ScaleMode& mode) {
  QZO_CHECK(!examples.empty());
  const Sharing sharing = options_.sharing;
  const auto once = distinct(examples, sharing, [](const tasks::Example& example) {
    return std::tie(example.prompt, example.candidates, example.unscored);
  });
  const auto add = [&](models::PrefixTree& tree, std::size_t i) { add_example(tree, *once.items[i], sharing); };
  const auto parts = passes(once.items.size(), options_.max_tokens_per_pass, add);
  return for_signs(mode, options_.stacked_signs, [&](const quant::ScaleMode& walked) {
    const models::ForwardContext context{walked, options_.precision};
    const std::vector<Scores> scores = in_passes<Scores>(parts, context, [&](std::size_t begin, std::size_t end) {
      return pass_scores(model_, Examples(once.items).subspan(begin, end - begin), sharing, context);
    });
    std::vector<Scores> out(scores.size());
    for (std::size_t sign = 0; sign < out.size(); ++sign) {
      for (const std::size_t i : once.index) out[sign].push_back(scores[sign][i]);
    }
    return out;
  });
}

zo::LossPair Classification::loss(std::span<const tasks::Example> examples, const kernels::Probe& probe) {
  const std::vector<Scores> scores = signed_scores(examples, {.probe = &probe});
  QZO_CHECK(scores.size() == 2, "a probe of both signs is needed");
  return {mean_cross_entropy(scores[0], examples), mean_cross_entropy(scores[1], examples)};
}

double Classification::loss(std::span<const tasks::Example> examples) {
  return mean_cross_entropy(signed_scores(examples, {})[0], examples);
}

Scores Classification::scores(std::span<const tasks::Example> examples, bool rounded_scales) {
  return signed_scores(examples, {.rounded = rounded_scales})[0];
}

}  // namespace qzo::objectives
