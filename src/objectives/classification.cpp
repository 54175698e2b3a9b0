#include "qzo/objectives/classification.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/core/Tensor.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include "qzo/core/check.h"

#include "objectives/scoring.h"

namespace qzo::objectives {

namespace {

using Scores = std::vector<std::vector<float>>;  // [example][candidate]

// One pass: the packed batch, and what is asked of its scored rows.
struct Plan {
  models::PackedBatch batch;
  std::vector<std::size_t> logit_examples;  // all candidates one token: their logits at one row
  std::vector<std::int64_t> logit_rows;
  std::map<std::int32_t, std::size_t> logit_tokens;  // union of their candidate ids -> column
  std::vector<Query> queries;                        // everything else, in order of example, candidate, token
};

Plan make_plan(std::span<const tasks::Example> examples) {
  Plan plan;
  const auto score_row = [&](std::int64_t row) {
    plan.batch.scored.push_back(row);
    return static_cast<std::int64_t>(plan.batch.scored.size()) - 1;
  };
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const tasks::Example& example = examples[i];
    const std::int64_t prompt = plan.batch.add(example.prompt);
    const std::int64_t prompt_end = score_row(plan.batch.rows() - 1);
    if (example.single_token()) {
      plan.logit_examples.push_back(i);
      plan.logit_rows.push_back(prompt_end);
      for (const auto& candidate : example.candidates) plan.logit_tokens.emplace(candidate[0], 0);
      continue;
    }
    for (const auto& candidate : example.candidates) {
      plan.queries.push_back({prompt_end, candidate[0]});
      if (candidate.size() == 1) continue;
      const std::int64_t first = plan.batch.rows();
      // The last token is predicted, never computed.
      plan.batch.add(std::span(candidate).first(candidate.size() - 1), prompt);
      for (std::size_t t = 1; t < candidate.size(); ++t) {
        plan.queries.push_back({score_row(first + static_cast<std::int64_t>(t) - 1), candidate[t]});
      }
    }
  }
  std::size_t column = 0;
  for (auto& entry : plan.logit_tokens) entry.second = column++;
  return plan;
}

void fill_from_logits(models::CausalLm& model, const at::Tensor& hidden, const Plan& plan,
                      std::span<const tasks::Example> examples, const models::ForwardContext& context,
                      std::vector<Scores>& out) {
  if (plan.logit_examples.empty()) return;
  std::vector<std::int32_t> tokens;
  for (const auto& entry : plan.logit_tokens) tokens.push_back(entry.first);
  const std::int64_t scored = hidden.size(0) / context.signs();
  for (std::size_t sign = 0; sign < out.size(); ++sign) {
    std::vector<std::int64_t> rows = plan.logit_rows;
    for (std::int64_t& row : rows) row += static_cast<std::int64_t>(sign) * scored;
    const at::Tensor logits = model.token_logits(hidden.index_select(0, at::tensor(rows)), tokens, context);
    const float* values = logits.const_data_ptr<float>();
    for (std::size_t i = 0; i < plan.logit_examples.size(); ++i) {
      const std::size_t example = plan.logit_examples[i];
      for (const auto& candidate : examples[example].candidates) {
        out[sign][example].push_back(values[i * tokens.size() + plan.logit_tokens.at(candidate[0])]);
      }
    }
  }
}

void fill_from_log_probabilities(models::CausalLm& model, const at::Tensor& hidden, const Plan& plan,
                                 std::span<const tasks::Example> examples, const models::ForwardContext& context,
                                 std::vector<Scores>& out) {
  if (plan.queries.empty()) return;
  const auto values = query_log_probabilities(model, hidden, plan.queries, context);
  for (std::size_t sign = 0; sign < out.size(); ++sign) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < examples.size(); ++i) {
      if (examples[i].single_token()) continue;
      for (const auto& candidate : examples[i].candidates) {
        double sum = 0;
        for (std::size_t t = 0; t < candidate.size(); ++t) sum += values[sign][at++];
        out[sign][i].push_back(static_cast<float>(sum / static_cast<double>(candidate.size())));
      }
    }
  }
}

double mean_cross_entropy(const Scores& scores, std::span<const tasks::Example> examples) {
  double total = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    // max_element would pass over a NaN; it must reach the loss.
    double most = -INFINITY;
    for (const float score : scores[i]) most = std::isnan(score) ? score : std::max(most, double{score});
    double sum = 0;
    for (const float score : scores[i]) sum += std::exp(score - most);
    total += std::log(sum) + most - scores[i][static_cast<std::size_t>(examples[i].label)];
  }
  return total / static_cast<double>(examples.size());
}

}  // namespace

std::vector<Scores> Classification::signed_scores(std::span<const tasks::Example> examples,
                                                  const quant::ScaleMode& mode) {
  QZO_CHECK(!examples.empty());
  const std::function<std::vector<Scores>(const quant::ScaleMode&)> walk = [&](const quant::ScaleMode& walked) {
    const models::ForwardContext context{walked, options_.precision};
    std::vector<Scores> out(static_cast<std::size_t>(context.signs()));
    const auto tokens = [&](std::size_t i) { return examples[i].tokens(); };
    for (const auto& [begin, end] : passes(examples.size(), options_.max_tokens_per_pass, tokens)) {
      const auto part = examples.subspan(begin, end - begin);
      const Plan plan = make_plan(part);
      const at::Tensor hidden = model_.forward(plan.batch, context);
      std::vector<Scores> scores(out.size(), Scores(part.size()));
      fill_from_logits(model_, hidden, plan, part, context, scores);
      fill_from_log_probabilities(model_, hidden, plan, part, context, scores);
      for (std::size_t sign = 0; sign < out.size(); ++sign) {
        out[sign].insert(out[sign].end(), scores[sign].begin(), scores[sign].end());
      }
    }
    return out;
  };
  return for_signs<Scores>(mode, options_.stacked_signs, walk);
}

zo::LossPair Classification::loss(std::span<const tasks::Example> examples, const kernels::Probe& probe) {
  const std::vector<Scores> scores = signed_scores(examples, {&probe, false});
  QZO_CHECK(scores.size() == 2, "a probe of both signs is needed");
  return {mean_cross_entropy(scores[0], examples), mean_cross_entropy(scores[1], examples)};
}

double Classification::loss(std::span<const tasks::Example> examples) {
  return mean_cross_entropy(signed_scores(examples, {})[0], examples);
}

Scores Classification::scores(std::span<const tasks::Example> examples, bool rounded_scales) {
  return signed_scores(examples, {nullptr, rounded_scales})[0];
}

}  // namespace qzo::objectives
