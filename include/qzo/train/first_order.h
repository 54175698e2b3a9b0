#pragma once
// Steps by gradients: micro-batches, norm clipping, an optimizer of qzo/optim.
//
//   g = sum over the micro-batches of (examples in it / examples of the batch) * gradient of their mean loss
//   g *= max_norm / (|g| + 1e-6) where |g|, over all parameters together, exceeds max_norm (torch's rule)
//   optimizer step with the learning rate of the schedule
//
// Where the loss or an element of g is not finite nothing changes but a count.

#include <memory>
#include <optional>
#include <string>

#include "qzo/optim/optimizer.h"
#include "qzo/train/method.h"

namespace qzo::train {

struct FirstOrderSettings {
  std::string optimizer;           // optim::optimizer_names()
  std::optional<double> max_norm;  // nullopt: no clipping
  std::int64_t micro_batch = 0;    // examples whose gradients are computed together; 0: the whole batch
  std::uint64_t seed = 0;          // of the run
  optim::StateRules states;
};

// |g| over all gradients (fp32), in double; NaN or infinite if an element is. Same bits for any number of threads.
double gradient_norm(std::span<const optim::ParameterGroup> groups);

class FirstOrder final : public Method {
 public:
  // `problem` must outlive it. UserError as make_optimizer.
  FirstOrder(GradientProblem& problem, const FirstOrderSettings& settings);

  Problem& problem() override { return problem_; }
  [[nodiscard]] JournalHeader journal_header() override;
  Step step(std::uint64_t step, double lr, std::span<const std::int64_t> batch,
            const std::function<void(std::span<const zo::StepRecord>)>& before_update) override;
  void replay(std::span<const zo::StepRecord> records) override;
  CheckpointContent content() override;
  void loaded() override { problem_.parameters_changed(); }

  [[nodiscard]] const optim::Optimizer& optimizer() const { return *optimizer_; }

 private:
  double add_gradients(std::span<const std::int64_t> batch);

  GradientProblem& problem_;
  FirstOrderSettings settings_;
  std::vector<optim::ParameterGroup> groups_;
  std::unique_ptr<optim::Optimizer> optimizer_;
};

}  // namespace qzo::train
