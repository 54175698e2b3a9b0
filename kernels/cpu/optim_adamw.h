#pragma once

#include "qzo/kernels/optim_step.h"

#include "cpu/optim_chunk.h"

namespace qzo::kernels {

// The rule's numbers, rounded once; pointers and count are left to the caller.
AdamwChunk adamw_constants(const AdamwRule& rule, double decay, double step, double root);

}  // namespace qzo::kernels
