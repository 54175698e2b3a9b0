#include "qzo/objectives/classification.h"

#include <map>

#include "qzo/core/check.h"
#include "qzo/tasks/metrics.h"

#include "objectives/scoring.h"

namespace qzo::objectives {

namespace {

using Examples = std::span<const tasks::Example>;
using Scores = std::vector<std::vector<float>>;  // [example][candidate]

// One pass: the packed batch, and what is asked of its scored rows.
struct Plan {
  models::PackedBatch batch;
  std::vector<std::int64_t> logit_rows;               // of the examples with one token a candidate, in order
  std::map<std::int32_t, std::size_t> logit_columns;  // all their candidates' ids -> column
  std::vector<Query> queries;                         // of all others, by example, candidate, token

  std::int64_t score(std::int64_t row) {
    batch.scored.push_back(row);
    return static_cast<std::int64_t>(batch.scored.size()) - 1;
  }
};

void add_candidates(Plan& plan, const tasks::Example& example, std::int64_t prompt) {
  // Scored once: it predicts the first token of every candidate.
  const std::int64_t prompt_end = example.unscored == 0 ? plan.score(plan.batch.rows() - 1) : -1;
  const auto unscored = static_cast<std::size_t>(example.unscored);
  for (const std::vector<std::int32_t>& candidate : example.candidates) {
    QZO_CHECK(candidate.size() > unscored, "a candidate of ", candidate.size(), " tokens, ", unscored, " unscored");
    const std::int64_t first = plan.batch.rows();
    // The last token is predicted, never computed.
    if (candidate.size() > 1) plan.batch.add(std::span(candidate).first(candidate.size() - 1), prompt);
    for (std::size_t t = unscored; t < candidate.size(); ++t) {
      const std::int64_t row = t == 0 ? prompt_end : plan.score(first + static_cast<std::int64_t>(t) - 1);
      plan.queries.push_back({row, candidate[t]});
    }
  }
}

Plan make_plan(Examples examples) {
  Plan plan;
  for (const tasks::Example& example : examples) {
    const std::int64_t prompt = plan.batch.add(example.prompt);
    if (!example.single_token()) {
      add_candidates(plan, example, prompt);
      continue;
    }
    plan.logit_rows.push_back(plan.score(plan.batch.rows() - 1));
    for (const auto& candidate : example.candidates) plan.logit_columns.emplace(candidate[0], 0);
  }
  std::size_t column = 0;
  for (auto& entry : plan.logit_columns) entry.second = column++;
  return plan;
}

void fill_from_logits(models::CausalLm& model, const at::Tensor& hidden, const Plan& plan, Examples examples,
                      const models::ForwardContext& context, std::vector<Scores>& out) {
  if (plan.logit_rows.empty()) return;
  std::vector<std::int32_t> tokens;
  for (const auto& entry : plan.logit_columns) tokens.push_back(entry.first);
  const at::Tensor logits =
      model.token_logits(rows_of_signs(hidden, plan.logit_rows, context.signs()), tokens, context).contiguous();
  const float* row = logits.const_data_ptr<float>();
  for (Scores& scores : out) {
    for (std::size_t i = 0; i < examples.size(); ++i) {
      if (!examples[i].single_token()) continue;
      for (const auto& candidate : examples[i].candidates) {
        scores[i].push_back(row[plan.logit_columns.at(candidate[0])]);
      }
      row += tokens.size();
    }
  }
}

void fill_from_log_probabilities(models::CausalLm& model, const at::Tensor& hidden, const Plan& plan, Examples examples,
                                 const models::ForwardContext& context, std::vector<Scores>& out) {
  if (plan.queries.empty()) return;
  const auto values = log_probabilities(model, hidden, plan.queries, context);
  for (std::size_t sign = 0; sign < out.size(); ++sign) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < examples.size(); ++i) {
      if (examples[i].single_token()) continue;
      for (const auto& candidate : examples[i].candidates) {
        const std::size_t tokens = candidate.size() - static_cast<std::size_t>(examples[i].unscored);
        double sum = 0;
        for (std::size_t t = 0; t < tokens; ++t) sum += values[sign][next++];
        out[sign][i].push_back(static_cast<float>(sum / static_cast<double>(tokens)));
      }
    }
  }
}

// One pass; scores per sign.
std::vector<Scores> pass_scores(models::CausalLm& model, Examples examples, const models::ForwardContext& context) {
  const Plan plan = make_plan(examples);
  const at::Tensor hidden = model.forward(plan.batch, context);
  std::vector<Scores> out(static_cast<std::size_t>(context.signs()), Scores(examples.size()));
  fill_from_logits(model, hidden, plan, examples, context, out);
  fill_from_log_probabilities(model, hidden, plan, examples, context, out);
  return out;
}

double mean_cross_entropy(const Scores& scores, Examples examples) {
  double total = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    total += tasks::cross_entropy(scores[i], static_cast<std::size_t>(examples[i].label));
  }
  return total / static_cast<double>(examples.size());
}

}  // namespace

std::vector<Scores> Classification::signed_scores(Examples examples, const quant::ScaleMode& mode) {
  QZO_CHECK(!examples.empty());
  return for_signs(mode, options_.stacked_signs, [&](const quant::ScaleMode& walked) {
    const models::ForwardContext context{walked, options_.precision};
    std::vector<Scores> out(static_cast<std::size_t>(context.signs()));
    const auto tokens = [&](std::size_t i) { return examples[i].tokens(); };
    for (const auto& [begin, end] : passes(examples.size(), options_.max_tokens_per_pass, tokens)) {
      const std::vector<Scores> part = pass_scores(model_, examples.subspan(begin, end - begin), context);
      for (std::size_t sign = 0; sign < out.size(); ++sign) {
        out[sign].insert(out[sign].end(), part[sign].begin(), part[sign].end());
      }
    }
    return out;
  });
}

zo::LossPair Classification::loss(Examples examples, const kernels::Probe& probe) {
  const std::vector<Scores> scores = signed_scores(examples, {.probe = &probe});
  QZO_CHECK(scores.size() == 2, "a probe of both signs is needed");
  return {mean_cross_entropy(scores[0], examples), mean_cross_entropy(scores[1], examples)};
}

double Classification::loss(Examples examples) { return mean_cross_entropy(signed_scores(examples, {})[0], examples); }

Scores Classification::scores(Examples examples, bool rounded_scales) {
  return signed_scores(examples, {.rounded = rounded_scales})[0];
}

}  // namespace qzo::objectives
