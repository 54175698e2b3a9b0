#include "qzo/objectives/answer_loss.h"

#include "qzo/core/check.h"

#include "objectives/scoring.h"

namespace qzo::objectives {

namespace {

struct Sum {
  double nll = 0;
  std::int64_t tokens = 0;
};

std::vector<double> mean_nll(models::CausalLm& model, const ObjectiveOptions& options,
                             std::span<const PromptAnswer> examples, const quant::ScaleMode& mode) {
  QZO_CHECK(!examples.empty());
  const std::function<std::vector<double>(const quant::ScaleMode&)> walk = [&](const quant::ScaleMode& walked) {
    const models::ForwardContext context{walked, options.precision};
    std::vector<Sum> sums(static_cast<std::size_t>(context.signs()));
    const auto tokens = [&](std::size_t i) {
      return static_cast<std::int64_t>(examples[i].prompt.size() + examples[i].answer.size()) - 1;
    };
    for (const auto& [begin, end] : passes(examples.size(), options.max_tokens_per_pass, tokens)) {
      models::PackedBatch batch;
      std::vector<Query> queries;
      for (const PromptAnswer& example : examples.subspan(begin, end - begin)) {
        QZO_CHECK(!example.prompt.empty() && !example.answer.empty());
        std::vector<std::int32_t> ids = example.prompt;
        ids.insert(ids.end(), example.answer.begin(), example.answer.end() - 1);
        const std::int64_t first = batch.rows() + static_cast<std::int64_t>(example.prompt.size()) - 1;
        batch.add(ids);
        for (std::size_t t = 0; t < example.answer.size(); ++t) {
          queries.push_back({static_cast<std::int64_t>(batch.scored.size()), example.answer[t]});
          batch.scored.push_back(first + static_cast<std::int64_t>(t));
        }
      }
      const auto values = query_log_probabilities(model, model.forward(batch, context), queries, context);
      for (std::size_t sign = 0; sign < sums.size(); ++sign) {
        for (const float value : values[sign]) sums[sign].nll -= value;
        sums[sign].tokens += static_cast<std::int64_t>(values[sign].size());
      }
    }
    std::vector<double> out;
    for (const Sum& sum : sums) out.push_back(sum.nll / static_cast<double>(sum.tokens));
    return out;
  };
  return for_signs<double>(mode, options.stacked_signs, walk);
}

}  // namespace

zo::LossPair AnswerLoss::loss(std::span<const PromptAnswer> examples, const kernels::Probe& probe) {
  const std::vector<double> means = mean_nll(model_, options_, examples, {&probe, false});
  QZO_CHECK(means.size() == 2, "a probe of both signs is needed");
  return {means[0], means[1]};
}

double AnswerLoss::loss(std::span<const PromptAnswer> examples) { return mean_nll(model_, options_, examples, {})[0]; }

}  // namespace qzo::objectives
