#include "qzo/objectives/answer_loss.h"

#include "qzo/core/check.h"

#include "objectives/scoring.h"

namespace qzo::objectives {

namespace {

using Examples = std::span<const PromptAnswer>;

// One pass; log-probabilities of all answer tokens in order, per sign.
std::vector<std::vector<float>> pass_log_probabilities(models::CausalLm& model, Examples examples,
                                                       const models::ForwardContext& context) {
  models::PackedBatch batch;
  std::vector<Query> queries;
  for (const auto& [prompt, answer] : examples) {
    QZO_CHECK(!prompt.empty() && !answer.empty(), "prompt of ", prompt.size(), " tokens, answer of ", answer.size());
    // The row before a token predicts it; the last token is predicted, never computed.
    const std::int64_t predicts_first = batch.rows() + static_cast<std::int64_t>(prompt.size()) - 1;
    std::vector<std::int32_t> ids = prompt;
    ids.insert(ids.end(), answer.begin(), answer.end() - 1);
    batch.add(ids);
    for (std::size_t t = 0; t < answer.size(); ++t) {
      queries.push_back({static_cast<std::int64_t>(batch.scored.size()), answer[t]});
      batch.scored.push_back(predicts_first + static_cast<std::int64_t>(t));
    }
  }
  return log_probabilities(model, model.forward(batch, context), queries, context);
}

// Per sign.
std::vector<double> mean_losses(models::CausalLm& model, const ObjectiveOptions& options, Examples examples,
                                const quant::ScaleMode& mode) {
  QZO_CHECK(!examples.empty());
  std::int64_t answer_tokens = 0;
  for (const PromptAnswer& example : examples) answer_tokens += static_cast<std::int64_t>(example.answer.size());
  const auto rows = [&](std::size_t i) {
    return static_cast<std::int64_t>(examples[i].prompt.size() + examples[i].answer.size()) - 1;
  };
  return for_signs(mode, options.stacked_signs, [&](const quant::ScaleMode& walked) {
    const models::ForwardContext context{walked, options.precision};
    std::vector<double> losses(static_cast<std::size_t>(context.signs()), 0.0);
    for (const auto& [begin, end] : passes(examples.size(), options.max_tokens_per_pass, rows)) {
      const auto values = pass_log_probabilities(model, examples.subspan(begin, end - begin), context);
      // Token by token, so that passes of any size sum in the same order.
      for (std::size_t sign = 0; sign < losses.size(); ++sign) {
        for (const float value : values[sign]) losses[sign] -= value;
      }
    }
    for (double& loss : losses) loss /= static_cast<double>(answer_tokens);
    return losses;
  });
}

}  // namespace

zo::LossPair AnswerLoss::loss(Examples examples, const kernels::Probe& probe) {
  const std::vector<double> losses = mean_losses(model_, options_, examples, {.probe = &probe});
  QZO_CHECK(losses.size() == 2, "a probe of both signs is needed");
  return {losses[0], losses[1]};
}

double AnswerLoss::loss(Examples examples) { return mean_losses(model_, options_, examples, {})[0]; }

}  // namespace qzo::objectives
