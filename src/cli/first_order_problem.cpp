#include "qzo/cli/first_order_problem.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "qzo/cli/adapter.h"
#include "qzo/cli/score.h"
#include "qzo/core/text.h"
#include "qzo/io/scale_patch.h"
#include "qzo/objectives/classification_gradient.h"

namespace qzo::cli {
namespace {

models::TrainableOptions trainable_options(const config::RunConfig& config) {
  const config::MethodConfig& method = config.method;
  models::TrainableOptions out;
  if (method.adapter == "lora") {
    out.adapters = models::AdapterOptions{
        .rank = method.rank, .alpha = method.alpha, .seed = static_cast<std::uint64_t>(config.train.seed)};
  }
  out.dtype = method.weights == "bf16" ? core::Dtype::kBF16 : core::Dtype::kF32;
  out.include = method.include;
  out.exclude = method.exclude;
  out.recompute = method.recompute;
  return out;
}

// config.json with the type of the tensors in it, under the keys of transformers 4 and 5.
std::string config_with_dtype(const io::Checkpoint& base, const std::string& dtype) {
  core::Json config = base.config;
  const bool new_key = config.contains("dtype");
  if (new_key) config["dtype"] = dtype;
  if (!new_key || config.contains("torch_dtype")) config["torch_dtype"] = dtype;
  return config.dump(2) + "\n";
}

}  // namespace

train::FirstOrderSettings first_order_settings(const config::RunConfig& config) {
  train::FirstOrderSettings out;
  out.optimizer = config.method.name;
  out.max_norm = config.method.max_norm;
  out.micro_batch = config.method.micro_batch;
  out.seed = static_cast<std::uint64_t>(config.train.seed);
  out.states.threshold = config.method.state_threshold;
  out.states.full_precision = config.method.full_precision;
  out.states.stochastic_weights = config.method.stochastic_rounding;
  out.states.seed = out.seed;
  return out;
}

FirstOrderProblem::FirstOrderProblem(Assembly& assembly)
    : assembly_(assembly),
      trainable_(models::make_trainable(*assembly.base.model, trainable_options(assembly.config.values))),
      evaluation_(*assembly.base.model, evaluation_options(assembly.config.values)),
      base_hash_(io::checkpoint_hash(*assembly.base.checkpoint)) {}

std::vector<std::int64_t> FirstOrderProblem::train_lengths() const {
  std::vector<std::int64_t> lengths;
  for (const tasks::Example& example : assembly_.examples.train) lengths.push_back(example.tokens());
  return lengths;
}

std::vector<optim::ParameterGroup> FirstOrderProblem::parameter_groups() {
  const config::MethodConfig& method = assembly_.config.values.method;
  std::vector<optim::ParameterGroup> groups(2);  // with and without decay
  groups[0].weight_decay = method.weight_decay;
  for (models::TrainedTensor& tensor : trainable_->tensors()) {
    const bool kept = std::ranges::any_of(method.no_decay,
                                          [&](const std::string& glob) { return core::glob_match(glob, tensor.name); });
    groups[kept ? 1 : 0].parameters.push_back(
        {.name = tensor.name,
         .shape = tensor.values.sizes().vec(),
         .dtype = tensor.values.scalar_type() == at::kBFloat16 ? core::Dtype::kBF16 : core::Dtype::kF32,
         .values = tensor.values.data_ptr(),
         .gradient_dtype = core::Dtype::kF32,
         .gradient = tensor.gradient.data_ptr()});
  }
  return groups;
}

void FirstOrderProblem::zero_gradients() {
  for (models::TrainedTensor& tensor : trainable_->tensors()) tensor.gradient.zero_();
}

double FirstOrderProblem::add_gradients(std::span<const std::int64_t> part, double share) {
  std::vector<tasks::Example> examples;
  for (const std::int64_t index : part)
    examples.push_back(assembly_.examples.train.at(static_cast<std::size_t>(index)));
  return objectives::add_classification_gradients(*trainable_, examples, share);
}

tasks::Metrics FirstOrderProblem::evaluate(const std::function<void(double share)>& progress) {
  return score_examples(evaluation_, assembly_.examples.dev, assembly_.config.values.train.batch_size, progress)
      .metrics();
}

void FirstOrderProblem::export_model(const std::filesystem::path& destination) {
  const config::RunConfig& config = assembly_.config.values;
  if (config.method.adapter == "lora") {
    export_adapter(*trainable_, {.base = config.model.path, .rank = config.method.rank, .alpha = config.method.alpha},
                   destination);
  } else {
    export_weights(destination);
  }
}

void FirstOrderProblem::export_weights(const std::filesystem::path& destination) {
  const io::Checkpoint& base = *assembly_.base.checkpoint;
  const bool half = assembly_.config.values.method.weights == "bf16";
  io::ExportChanges changes;
  for (const models::TrainedTensor& tensor : trainable_->tensors()) {
    const auto* bytes = static_cast<const std::byte*>(tensor.values.const_data_ptr());
    changes.tensors.push_back({.tensor = tensor.name,
                               .dtype = half ? core::Dtype::kBF16 : core::Dtype::kF32,
                               .shape = tensor.values.sizes().vec(),
                               .bytes = {bytes, bytes + tensor.values.nbytes()}});
  }
  changes.texts["config.json"] = config_with_dtype(base, half ? "bfloat16" : "float32");
  io::export_with_changes(base, changes, destination);
}

}  // namespace qzo::cli
