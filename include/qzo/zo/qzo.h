#pragma once
// One QZO step (arXiv 2505.13430, Algorithm 1) on fp32 master scales, given a function that returns both losses.
// Knows no model and no task. Masters are never written by a probe, so there is nothing to restore and no drift.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "qzo/kernels/zo_perturb.h"

namespace qzo::zo {

struct QzoSettings {
  double eps = 1e-3;
  kernels::EpsMode eps_mode = kernels::EpsMode::kAbsolute;
  std::optional<double> clip = 100;  // bound of |d|; nullopt = off
  double floor = 1e-7;               // of positive scales, after an update
  int directions = 1;                // probes per step, averaged
  std::uint64_t seed = 0;
};

// A tensor of scales that is trained. `values` points at the masters of a quant::PackedWeight.
struct TrainableScales {
  std::string name;
  std::uint32_t id = 0;  // noise stream
  std::span<float> values;
  bool signed_scales = false;
  std::span<const std::int64_t> frozen;  // indices that never move (constant groups)
};

struct LossPair {
  double plus = 0;
  double minus = 0;
};
using LossFunction = std::function<LossPair(const kernels::Probe&)>;

// Everything needed to repeat the update of one direction of one step.
struct StepRecord {
  std::uint64_t step = 0;  // 0-based
  std::uint64_t seed = 0;  // run seed of the noise
  std::uint32_t direction = 0;
  float lr = 0;         // learning rate of the step divided by the number of directions
  float d_raw = 0;      // (L+ - L-) / (2 eps)
  float d_applied = 0;  // after the clip; 0 if skipped
  float loss_plus = 0;
  float loss_minus = 0;
  bool clipped = false;
  bool skipped = false;  // a loss was not finite: nothing was changed
};

// d = clip((L+ - L-) / (2 eps), C). Pure.
StepRecord make_record(const QzoSettings& settings, std::uint64_t step, std::uint32_t direction, double lr,
                       LossPair losses);

// Applies the update of `record` to every tensor. Deterministic, parallel inside. Skipped records change nothing.
void apply_record(const StepRecord& record, kernels::EpsMode mode, double floor, std::span<TrainableScales> tensors,
                  const kernels::Noise& noise);
void apply_record(const StepRecord& record, kernels::EpsMode mode, double floor, std::span<TrainableScales> tensors);

// Probes all directions at the same scales, then applies. If any loss of the step is not finite the whole step is
// skipped (all its records say so). `noise_for` replaces the Philox noise (tests with given noise).
using NoiseFactory = std::function<std::unique_ptr<kernels::Noise>(kernels::NoiseKey)>;
std::vector<StepRecord> qzo_step(const QzoSettings& settings, std::uint64_t step, double lr,
                                 std::span<TrainableScales> tensors, const LossFunction& loss,
                                 const NoiseFactory& noise_for = {},
                                 const std::function<void(std::span<const StepRecord>)>& before_update = {});

// XXH3-64 over all masters in order: the checksum that journals carry.
std::uint64_t scales_checksum(std::span<const TrainableScales> tensors);

}  // namespace qzo::zo
