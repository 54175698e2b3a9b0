#pragma once
// Adafactor (arXiv 1804.04235) by the rule of either library that people compare with.
//
// "adafactor", as transformers: v from means of g^2 + 1e-30 over rows and columns; u = g / sqrt(v), scaled down to RMS
// `clip`, times lr; with beta1 an average of these scaled updates, without bias correction; decay by the effective lr.
// Relative step: lr = max(1e-3, RMS(theta)) min(1e-2, 1 / sqrt t).
//
// "adafactor_torch", as torch.optim: no first moment; lr = max(1e-3, RMS(theta)) min(lr, 1 / sqrt t); decay by the
// plain lr; nothing is added to g^2, instead the mean of the row means and v are bounded from below.
//
// Both: running means keep 1 - t^-0.8; tensors of two axes or more are factored over the last two.

#include <memory>

#include "qzo/optim/optimizer.h"

namespace qzo::optim {

struct AdafactorOptions {
  kernels::AdafactorRule rule = kernels::AdafactorRule::kTransformers;
  double beta1 = 0;            // transformers: 0 keeps no average
  bool relative_step = false;  // transformers: lr from the step, the group's lr is not used
  bool scale_by_rms = false;   // transformers; torch always does
  double clip = 1;
};

// UserError for options that the rule does not have.
std::unique_ptr<Optimizer> make_adafactor(std::vector<ParameterGroup> groups, const AdafactorOptions& options,
                                          const StateRules& rules = {});

}  // namespace qzo::optim
