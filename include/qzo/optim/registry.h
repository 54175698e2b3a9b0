#pragma once
// Optimizers by name, with the defaults of their papers.

#include <memory>
#include <string>
#include <vector>

#include "qzo/optim/optimizer.h"

namespace qzo::optim {

std::vector<std::string> optimizer_names();

// UserError listing the names if there is no such optimizer.
std::unique_ptr<Optimizer> make_optimizer(const std::string& name, std::vector<ParameterGroup> groups,
                                          const StateRules& rules = {});

}  // namespace qzo::optim
