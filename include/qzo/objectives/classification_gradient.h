#pragma once
// The loss of Classification with its gradient by the weights of a trainable model: the same scores, mean cross-entropy
// over the candidates. Computed in fp32; equal to Classification::loss up to rounding.

#include <span>

#include "qzo/models/trainable_lm.h"
#include "qzo/tasks/classification.h"

namespace qzo::objectives {

// Adds `share` times the gradient of the mean loss of these examples (one pass; at least one). Returns that loss,
// without the share.
double add_classification_gradients(models::TrainableLm& model, std::span<const tasks::Example> examples, double share);

}  // namespace qzo::objectives
