#pragma once
// QZO steps on the scales of a problem.

#include "qzo/train/loop.h"
#include "qzo/train/method.h"

namespace qzo::train {

class ZerothOrder final : public Method {
 public:
  ZerothOrder(ScaleProblem& problem, const zo::QzoSettings& settings) : problem_(problem), settings_(settings) {}

  Problem& problem() override { return problem_; }
  [[nodiscard]] JournalHeader journal_header() override;
  Step step(std::uint64_t step, double lr, std::span<const std::int64_t> batch,
            const std::function<void(std::span<const zo::StepRecord>)>& before_update) override;
  void replay(std::span<const zo::StepRecord> records) override;
  CheckpointContent content() override { return problem_.tensors(); }

 private:
  ScaleProblem& problem_;
  const zo::QzoSettings& settings_;
};

}  // namespace qzo::train
