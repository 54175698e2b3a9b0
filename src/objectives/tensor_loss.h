#pragma once
// The loss of a classification plan as a tensor: what autograd goes back through, and what double precision is for.

#include <ATen/core/Tensor.h>

#include "objectives/classification_plan.h"

namespace qzo::objectives {

// The plan of all examples with rows of its own for each of them: attention need not look at the others.
ClassificationPlan tensor_plan(std::span<const tasks::Example> examples);

// Mean loss of the examples that `plan` was made of. logits [scored rows, vocabulary], fp32 or double; a scalar of the
// same type.
at::Tensor tensor_loss(const ClassificationPlan& plan, std::span<const tasks::Example> examples,
                       const at::Tensor& logits);

}  // namespace qzo::objectives
