#pragma once
// model.precision "auto": which arithmetic learns fastest on this machine, for this model, batch and eps.

#include <functional>
#include <string>

#include "qzo/cli/assemble.h"

namespace qzo::cli {

struct PrecisionChoice {
  ops::Precision precision = ops::Precision::kFp32;
  std::string reason;  // one sentence
};

// Measures d on one batch of the training set with a few draws of noise. Only the candidates that can be faster
// than fp32 on this CPU, for the formats of the model, are tried; where there is none, nothing is measured. The speeds
// are those of the instruction set (measured once, see the README), not of this moment, so that the same command makes
// the same choice.
PrecisionChoice choose_precision(const Assembly& assembly, const std::function<void(double share)>& progress);

}  // namespace qzo::cli
