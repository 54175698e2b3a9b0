#include "objectives/tensor_loss.h"

#include <vector>

#include <ATen/ATen.h>

#include "qzo/core/check.h"

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
  std::vector<double> weight;  // 1 / scored tokens of the candidate
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
        weight.push_back(1 / static_cast<double>(scored));
      }
      ++candidate;
    }
  }
  QZO_CHECK(rows.size() == part.queries.size(), rows.size(), " of ", part.queries.size(), " queries");
  const at::Tensor source = part.normalised ? at::log_softmax(values, 1) : values;
  const at::Tensor asked = source.index({integers(rows), integers(tokens)}) * at::tensor(weight, values.scalar_type());
  const auto examples = static_cast<std::int64_t>(labels.size());
  const at::Tensor scores =
      at::zeros({candidate}, values.options()).index_add(0, integers(candidate_of), asked).view({examples, -1});
  return -at::log_softmax(scores, 1).gather(1, integers(labels).unsqueeze(1)).sum();
}

}  // namespace

ClassificationPlan tensor_plan(std::span<const tasks::Example> examples) {
  std::vector<const tasks::Example*> all;
  for (const tasks::Example& example : examples) all.push_back(&example);
  return make_plan(all, Sharing::kCandidates);
}

at::Tensor tensor_loss(const ClassificationPlan& plan, std::span<const tasks::Example> examples,
                       const at::Tensor& logits) {
  Part single{.queries = plan.logits}, longer{.queries = plan.log_probabilities, .normalised = true};
  for (const tasks::Example& example : examples)
    (example.single_token() ? single : longer).examples.push_back(&example);
  at::Tensor sum = at::zeros({}, logits.options());
  for (const Part* part : {&single, &longer}) {
    if (!part->examples.empty()) sum = sum + loss_sum(*part, logits);
  }
  return sum / static_cast<double>(examples.size());
}

}  // namespace qzo::objectives
