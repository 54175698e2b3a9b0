#pragma once
// Teacher-forced loss: mean over all answer tokens of the batch (not per example) of
// -log p(token | prompt and earlier answer tokens).

#include <cstdint>
#include <span>
#include <vector>

#include "qzo/objectives/classification.h"

namespace qzo::objectives {

struct PromptAnswer {
  std::vector<std::int32_t> prompt;  // at least one token
  std::vector<std::int32_t> answer;  // at least one token
};

class AnswerLoss {
 public:
  AnswerLoss(models::CausalLm& model, ObjectiveOptions options) : model_(model), options_(options) {}
  // As Classification: losses under a probe of both signs, and at the masters.
  zo::LossPair loss(std::span<const PromptAnswer> examples, const kernels::Probe& probe);
  double loss(std::span<const PromptAnswer> examples);

 private:
  models::CausalLm& model_;
  ObjectiveOptions options_;
};

}  // namespace qzo::objectives
