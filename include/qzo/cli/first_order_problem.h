#pragma once
// The real train::GradientProblem: dense weights or adapters of a causal language model, classification loss, export as
// a Hugging Face folder or an adapter.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "qzo/cli/assemble.h"
#include "qzo/objectives/classification.h"
#include "qzo/train/first_order.h"

namespace qzo::cli {

class FirstOrderProblem final : public train::GradientProblem {
 public:
  // `assembly` must outlive this. UserError for what cannot be trained so.
  explicit FirstOrderProblem(Assembly& assembly);

  [[nodiscard]] std::vector<std::int64_t> train_lengths() const override;
  std::vector<optim::ParameterGroup> parameter_groups() override;
  void zero_gradients() override;
  double add_gradients(std::span<const std::int64_t> part, double share) override;
  void parameters_changed() override { trainable_->changed(); }
  tasks::Metrics evaluate(const std::function<void(double share)>& progress) override;
  void export_model(const std::filesystem::path& destination) override;
  [[nodiscard]] std::uint64_t base_hash() const override { return base_hash_; }

  models::TrainableLm& trainable() { return *trainable_; }

 private:
  void export_weights(const std::filesystem::path& destination);

  Assembly& assembly_;
  std::unique_ptr<models::TrainableLm> trainable_;
  objectives::Classification evaluation_;
  std::uint64_t base_hash_;
};

train::FirstOrderSettings first_order_settings(const config::RunConfig& config);

}  // namespace qzo::cli
