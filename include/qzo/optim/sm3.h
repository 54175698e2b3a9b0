#pragma once
// SM3-II (arXiv 1901.11150) with momentum and decoupled decay; rule: qzo/kernels/optim_step.h.

#include <memory>

#include "qzo/optim/optimizer.h"

namespace qzo::optim {

std::unique_ptr<Optimizer> make_sm3(std::vector<ParameterGroup> groups, double momentum = 0.9,
                                    const StateRules& rules = {});

}  // namespace qzo::optim
