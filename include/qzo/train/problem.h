#pragma once
// What the training loop needs to know of model, data and task; cli/assemble builds the real one, tests use a fake.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "qzo/tasks/metrics.h"
#include "qzo/zo/qzo.h"

namespace qzo::train {

class Problem {
 public:
  virtual ~Problem() = default;
  virtual std::vector<zo::TrainableScales>& tensors() = 0;
  // Tokens per training example, for batch order and throughput.
  [[nodiscard]] virtual std::vector<std::int64_t> train_lengths() const = 0;
  // Both losses of a batch of training examples (indices) under a probe.
  virtual zo::LossPair loss(std::span<const std::int64_t> batch, const kernels::Probe& probe) = 0;
  // Score of the model as it would be exported (rounded scales) on the dev set. A function of the masters alone: a
  // resumed run repeats it. `progress` may throw to end it early (a stop signal); the exception must pass through.
  virtual tasks::Metrics evaluate(const std::function<void(double share)>& progress) = 0;
  // Writes the tuned checkpoint (masters rounded to the file's dtype), atomically, replacing an earlier one.
  // `destination` (RUN/model) becomes the Hugging Face folder, or the folder in which the GGUF file stands.
  virtual void export_model(const std::filesystem::path& destination) = 0;
  // Identity of the base checkpoint (io::checkpoint_hash).
  [[nodiscard]] virtual std::uint64_t base_hash() const = 0;
};

}  // namespace qzo::train
