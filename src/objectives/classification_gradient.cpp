#include "qzo/objectives/classification_gradient.h"

#include <vector>

#include <ATen/ATen.h>

#include "qzo/core/check.h"

#include "objectives/classification_plan.h"

namespace qzo::objectives {
namespace {

at::Tensor integers(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }

// Examples whose answers are asked for in the same way, and the queries of them all in order.
struct Part {
  std::vector<const tasks::Example*> examples = {};
  std::span<const Query> queries = {};
  bool normalised = false;  // log-probabilities; otherwise logits
};

// Sum of the losses of a part. values [rows, V]: logits.
at::Tensor loss_sum(const Part& part, const at::Tensor& values) {
  std::vector<std::int64_t> rows, tokens, candidate_of, labels;
  std::vector<float> weight;  // 1 / scored tokens of the candidate
  std::int64_t candidate = 0;
  for (const tasks::Example* example : part.examples) {
    labels.push_back(example->label);
    for (const auto& ids : example->candidates) {
      const auto scored = ids.size() - static_cast<std::size_t>(example->unscored);
      for (std::size_t t = 0; t < scored; ++t) {
        const Query& query = part.queries[rows.size()];
        rows.push_back(query.row);
        tokens.push_back(query.target);
        candidate_of.push_back(candidate);
        weight.push_back(1 / static_cast<float>(scored));
      }
      ++candidate;
    }
  }
  QZO_CHECK(rows.size() == part.queries.size(), rows.size(), " of ", part.queries.size(), " queries");
  const at::Tensor source = part.normalised ? at::log_softmax(values, 1) : values;
  const at::Tensor asked = source.index({integers(rows), integers(tokens)}) * at::tensor(weight, at::kFloat);
  const auto examples = static_cast<std::int64_t>(labels.size());
  const at::Tensor scores =
      at::zeros({candidate}, at::kFloat).index_add(0, integers(candidate_of), asked).view({examples, -1});
  return -at::log_softmax(scores, 1).gather(1, integers(labels).unsqueeze(1)).sum();
}

}  // namespace

double add_classification_gradients(models::TrainableLm& model, std::span<const tasks::Example> examples,
                                    double share) {
  QZO_CHECK(!examples.empty());
  std::vector<const tasks::Example*> all;
  Part single, longer;
  longer.normalised = true;
  for (const tasks::Example& example : examples) {
    all.push_back(&example);
    (example.single_token() ? single : longer).examples.push_back(&example);
  }
  // Each example has rows of its own: attention need not look at the others.
  const ClassificationPlan plan = make_plan(all, Sharing::kCandidates);
  single.queries = plan.logits;
  longer.queries = plan.log_probabilities;
  const auto count = static_cast<double>(examples.size());
  const double scaled = model.add_gradients(plan.batch(), [&](const at::Tensor& logits) {
    at::Tensor sum = at::zeros({}, at::kFloat);
    for (const Part* part : {&single, &longer}) {
      if (!part->examples.empty()) sum = sum + loss_sum(*part, logits);
    }
    return sum * (share / count);
  });
  return scaled / share;
}

}  // namespace qzo::objectives
