#include "qzo/objectives/classification_gradient.h"

#include <ATen/ATen.h>

#include "qzo/core/check.h"

#include "objectives/tensor_loss.h"

namespace qzo::objectives {

double add_classification_gradients(models::TrainableLm& model, std::span<const tasks::Example> examples,
                                    double share) {
  QZO_CHECK(!examples.empty());
  const ClassificationPlan plan = tensor_plan(examples);
  const double scaled = model.add_gradients(
      plan.batch(), [&](const at::Tensor& logits) { return tensor_loss(plan, examples, logits) * share; });
  return scaled / share;
}

}  // namespace qzo::objectives
