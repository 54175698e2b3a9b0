#include "qzo/cli/training_problem.h"

#include <algorithm>

#include "qzo/cli/score.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"
#include "qzo/io/scale_patch.h"

namespace qzo::cli {

std::vector<zo::TrainableScales> trainable_scales(models::CausalLm& model) {
  std::vector<zo::TrainableScales> out;
  for (quant::PackedWeight* weight : model.weights()) {
    if (!weight->trainable) continue;
    out.push_back({weight->name, weight->tensor_id, weight->scales, weight->signed_scales, weight->constant_groups});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

std::filesystem::path exported_path(const io::Checkpoint& base, const std::filesystem::path& folder) {
  return base.kind == io::CheckpointKind::kGguf ? folder / base.root.filename() : folder;
}

void export_tuned(const io::Checkpoint& base, models::CausalLm& model, const std::filesystem::path& destination) {
  std::vector<const quant::PackedWeight*> trained;
  for (const quant::PackedWeight* weight : model.weights()) {
    if (weight->trainable) trained.push_back(weight);
  }
  quant::RoundingCount count;
  const io::ExportChanges changes = quant::export_changes(base, trained, &count);
  if (count.became_zero + count.became_subnormal + count.changed_sign > 0) {
    core::log_warning(core::text("rounding to the checkpoint's own type: ", count.became_zero, " scales became zero, ",
                                 count.became_subnormal, " subnormal, ", count.changed_sign, " changed their sign"));
  }
  io::export_with_changes(base, changes, destination);
}

TrainingProblem::TrainingProblem(Assembly& assembly)
    : assembly_(assembly),
      objective_(*assembly.base.model, training_options(assembly.config.values)),
      evaluation_(*assembly.base.model, evaluation_options(assembly.config.values)),
      tensors_(trainable_scales(*assembly.base.model)),
      base_hash_(io::checkpoint_hash(*assembly.base.checkpoint)) {}

std::vector<std::int64_t> TrainingProblem::train_lengths() const {
  std::vector<std::int64_t> lengths;
  for (const tasks::Example& example : assembly_.examples.train) lengths.push_back(example.tokens());
  return lengths;
}

zo::LossPair TrainingProblem::loss(std::span<const std::int64_t> batch, const kernels::Probe& probe) {
  std::vector<tasks::Example> examples;
  for (const std::int64_t index : batch)
    examples.push_back(assembly_.examples.train.at(static_cast<std::size_t>(index)));
  return objective_.loss(examples, probe);
}

tasks::Metrics TrainingProblem::evaluate(const std::function<void(double share)>& progress) {
  return score_examples(evaluation_, assembly_.examples.dev, assembly_.config.values.train.batch_size, progress)
      .metrics();
}

void TrainingProblem::export_model(const std::filesystem::path& destination) {
  const io::Checkpoint& base = *assembly_.base.checkpoint;
  if (base.kind == io::CheckpointKind::kGguf) {
    std::error_code error;
    std::filesystem::create_directories(destination, error);
    if (error) throw core::EnvironmentError(core::text(destination.string(), " cannot be created: ", error.message()));
  }
  export_tuned(base, *assembly_.base.model, exported_path(base, destination));
}

}  // namespace qzo::cli
