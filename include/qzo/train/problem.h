#pragma once
// What the training loop needs to know of model, data and task; cli/assemble builds the real one, tests use a fake.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "qzo/optim/optimizer.h"
#include "qzo/tasks/metrics.h"
#include "qzo/zo/qzo.h"

namespace qzo::train {

class Problem {
 public:
  virtual ~Problem() = default;
  // Tokens per training example, for batch order and throughput.
  [[nodiscard]] virtual std::vector<std::int64_t> train_lengths() const = 0;
  // Score of the model as it would be exported on the dev set. A function of what is trained alone: a resumed run
  // repeats it. `progress` may throw to end it early (a stop signal); the exception must pass through.
  virtual tasks::Metrics evaluate(const std::function<void(double share)>& progress) = 0;
  // Writes the tuned checkpoint, atomically, replacing an earlier one. `destination` (RUN/model) becomes the Hugging
  // Face folder, or the folder in which the GGUF file stands.
  virtual void export_model(const std::filesystem::path& destination) = 0;
  // Identity of the base checkpoint (io::checkpoint_hash).
  [[nodiscard]] virtual std::uint64_t base_hash() const = 0;
};

// Scales that are trained by two losses a step; exported rounded to the file's dtype.
class ScaleProblem : public Problem {
 public:
  virtual std::vector<zo::TrainableScales>& tensors() = 0;
  // Both losses of a batch of training examples (indices) under a probe.
  virtual zo::LossPair loss(std::span<const std::int64_t> batch, const kernels::Probe& probe) = 0;
};

// Weights that are trained by gradients.
class GradientProblem : public Problem {
 public:
  // In a fixed order, decayed and not decayed; values and gradients stay where they are as long as this lives.
  virtual std::vector<optim::ParameterGroup> parameter_groups() = 0;
  // All gradients become 0.
  virtual void zero_gradients() = 0;
  // Mean loss of a part of a batch; `share` (its examples among those of the batch) times its gradient is added.
  virtual double add_gradients(std::span<const std::int64_t> part, double share) = 0;
  // The values of parameters were changed.
  virtual void parameters_changed() = 0;
};

}  // namespace qzo::train
