#pragma once
// The real train::Problem: scales of a causal language model, classification loss, export in the format that came in.

#include <cstdint>
#include <span>
#include <vector>

#include "qzo/cli/assemble.h"
#include "qzo/train/problem.h"

namespace qzo::cli {

// The masters of the trainable weights, by ascending noise stream. Points into `model`.
std::vector<zo::TrainableScales> trainable_scales(models::CausalLm& model);

// Writes the tuned checkpoint, a .gguf file or a folder as the base is. Masters are rounded to the file's type; a
// warning says how many scales that made zero, subnormal or of another sign.
void export_tuned(const io::Checkpoint& base, models::CausalLm& model, const std::filesystem::path& destination);

// The checkpoint inside the folder of a tuned model: FOLDER/<file name>.gguf, or FOLDER itself for a Hugging Face
// folder.
std::filesystem::path exported_path(const io::Checkpoint& base, const std::filesystem::path& folder);

class TrainingProblem final : public train::ScaleProblem {
 public:
  explicit TrainingProblem(Assembly& assembly);  // must outlive this

  std::vector<zo::TrainableScales>& tensors() override { return tensors_; }
  [[nodiscard]] std::vector<std::int64_t> train_lengths() const override;
  zo::LossPair loss(std::span<const std::int64_t> batch, const kernels::Probe& probe) override;
  tasks::Metrics evaluate(const std::function<void(double share)>& progress) override;
  void export_model(const std::filesystem::path& destination) override;
  [[nodiscard]] std::uint64_t base_hash() const override { return base_hash_; }

 private:
  Assembly& assembly_;
  objectives::Classification objective_;   // steps: model.precision
  objectives::Classification evaluation_;  // fp32
  std::vector<zo::TrainableScales> tensors_;
  std::uint64_t base_hash_;
};

}  // namespace qzo::cli
