#pragma once
// What a first-order run needs in memory: the table of --dry-run.

#include <cstdint>

#include "qzo/cli/first_order_problem.h"
#include "qzo/cli/memory_plan.h"
#include "qzo/optim/optimizer.h"

namespace qzo::cli {

// Weights, gradients and states as they are allocated; activations by formula, for the longest micro-batch.
MemoryPlan first_order_memory(const Assembly& assembly, FirstOrderProblem& problem, const optim::Optimizer& optimizer,
                              std::uint64_t runtime_bytes);

}  // namespace qzo::cli
