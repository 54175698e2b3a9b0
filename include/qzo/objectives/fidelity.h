#pragma once
// How faithful the directional derivative d = (L+ - L-) / (2 eps) is in each precision, against double precision or
// against the fp32 kernels: the same noise, the same examples.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "qzo/models/causal_lm.h"
#include "qzo/objectives/classification.h"

namespace qzo::objectives {

enum class FidelityReference : std::uint8_t {
  kFp32,    // the fp32 kernels: about 1e-5 off, fast
  kDouble,  // models/reference_lm.h: weights, products, norms, attention, head and loss in double
};

struct Fidelity {
  ops::Precision precision = ops::Precision::kFp32;
  double slope = 1;        // sum(d_ref d) / sum(d_ref^2)
  double correlation = 1;  // of d with d_ref
  double error = 0;        // r: rms(d - d_ref) / rms(d_ref)
  double seconds = 0;      // median of a probe (both losses)
};

struct FidelityOptions {
  float eps = 0;
  kernels::EpsMode mode = kernels::EpsMode::kAbsolute;
  int draws = 64;
  std::uint64_t seed = 0;
  FidelityReference reference = FidelityReference::kDouble;
};

// One entry for each of `precisions`, in their order. `options.precision` is not used. Draws have step numbers that no
// run reaches, so that they are not the noise of its first steps. InternalError for no examples or draws, UserError for
// kDouble and a family that models/reference_lm.h does not know.
std::vector<Fidelity> measure_fidelity(models::CausalLm& model, const ObjectiveOptions& options,
                                       std::span<const tasks::Example> examples, const FidelityOptions& fidelity,
                                       std::span<const ops::Precision> precisions,
                                       const std::function<void(double share)>& progress);

// Noise in d that has nothing to do with z only adds variance: a mode with relative error r and f times the speed
// learns about f / (1 + r^2) times as fast. A mode whose slope is not within 5 % of 1 is biased and out of the question
// (0); `draws`: how many it was measured with, two standard errors r / sqrt(draws) of the slope are granted.
double learning_speed(const Fidelity& fidelity, double relative_speed, int draws);

}  // namespace qzo::objectives
