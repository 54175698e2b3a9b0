#pragma once
// Steps of first-order optimizers over lists of tensors: states are decoded, updated and encoded a chunk at a time, so
// no temporary has the size of a parameter; all tensors of a list share one loop over all threads. Same bits for every
// instruction set and number of threads. The rules stand at each struct: fp32 arithmetic, constants rounded once from
// double.

#include <cstdint>
#include <span>

#include "qzo/core/dtype.h"
#include "qzo/kernels/optim_state.h"

namespace qzo::kernels {

// A contiguous parameter and its gradient, not owned. Each is fp32 or bf16; what is computed is fp32.
struct ParameterView {
  std::int64_t count = 0;  // elements
  core::Dtype dtype = core::Dtype::kF32;
  void* values = nullptr;
  core::Dtype gradient_dtype = core::Dtype::kF32;
  const void* gradient = nullptr;
  std::uint32_t id = 0;  // noise stream
};

// How bf16 weights are written back, and the noise of this step for them and for stochastic states.
struct StepRounding {
  bool stochastic_weights = true;
  RoundingKey key;
};

// True if every element of every gradient is finite.
bool gradients_finite(std::span<const ParameterView> parameters);

// theta *= decay; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
// theta -= step m / (sqrt(v) root + eps), with the m and v that were not rounded yet.
struct AdamwTensor {
  ParameterView parameter;
  StateView m, v;    // zero states: codes with scale 0, or values 0
  double decay = 1;  // 1 - lr weight_decay
  double step = 0;   // lr / (1 - beta1^t)
  double root = 1;   // 1 / sqrt(1 - beta2^t)
};
struct AdamwRule {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};
void adamw_step(std::span<const AdamwTensor> tensors, const AdamwRule& rule, const StepRounding& rounding);

// Running means of g^2 + offset over the last axis and over the second-last one; leading axes are a batch.
struct FactoredView {
  std::int64_t batch = 1, rows = 0, columns = 0;
  float* row = nullptr;     // [batch, rows]
  float* column = nullptr;  // [batch, columns]
};

// adamw_step with v = row / mean(row) * column (0 where that mean is 0).
struct FactorTensor {
  ParameterView parameter;
  StateView m;
  FactoredView v;
  double decay = 1, step = 0, root = 1;
};
void factor_step(std::span<const FactorTensor> tensors, const AdamwRule& rule, const StepRounding& rounding);

// d = g + weight_decay theta; m = d at the first step, otherwise momentum m + (1 - dampening) d;
// theta -= lr m, Nesterov: lr (d + momentum m). Without momentum theta -= lr d and m is not touched.
struct SgdTensor {
  ParameterView parameter;
  StateView m;
  double lr = 0, weight_decay = 0;
  bool first = false;
};
struct SgdRule {
  double momentum = 0, dampening = 0;
  bool nesterov = false;
};
void sgd_step(std::span<const SgdTensor> tensors, const SgdRule& rule, const StepRounding& rounding);

// Adafactor (arXiv 1804.04235) as two libraries define it; qzo/optim/adafactor.h says how they differ.
enum class AdafactorRule : std::uint8_t { kTransformers, kTorch };
struct AdafactorTensor {
  ParameterView parameter;
  bool factored = false;
  FactoredView factors;      // if factored
  float* second = nullptr;   // [count] otherwise
  float* average = nullptr;  // [count] of the scaled updates (kTransformers with beta1); null: none
  double keep = 0;           // of the running means: 1 - t^-0.8
  double lr = 0;             // before scaling by the parameter's RMS
  double weight_decay = 0;   // kTransformers: times the scaled lr; kTorch: times decay_lr
  double decay_lr = 0;
};
struct AdafactorSettings {
  AdafactorRule rule = AdafactorRule::kTransformers;
  double square_offset = 1e-30;  // kTransformers: added to g^2
  double epsilon = 0x1p-23;      // kTorch: lower bound of the mean of the rows; its square bounds v
  double least_rms = 1e-3;       // of the parameter, where the lr is scaled by it
  bool scale_by_rms = false;
  double clip = 1;   // RMS of an update above this is scaled down to it
  double beta1 = 0;  // used if a tensor has an average
};
void adafactor_step(std::span<const AdafactorTensor> tensors, const AdafactorSettings& settings,
                    const StepRounding& rounding);

// SM3-II (arXiv 1901.11150): nu = min over axes of mu_r + g^2; mu_r = max of nu over the other axes;
// m = momentum m + (1 - momentum) g / sqrt(nu + 1e-30); theta = theta (1 - lr weight_decay) - lr m.
struct Sm3Tensor {
  ParameterView parameter;
  std::span<const std::int64_t> shape;  // one-dimensional or scalar: mu is one number an element
  float* mu = nullptr;                  // axis 0, axis 1, ...
  float* momentum = nullptr;            // [count]
  double lr = 0, weight_decay = 0;
};
void sm3_step(std::span<const Sm3Tensor> tensors, double momentum, const StepRounding& rounding);

}  // namespace qzo::kernels
