#pragma once
// How a run takes a step: what the loop asks of QZO and of first-order optimizers alike.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "qzo/train/checkpoint.h"
#include "qzo/train/journal.h"
#include "qzo/train/problem.h"

namespace qzo::train {

class Method {
 public:
  virtual ~Method() = default;
  virtual Problem& problem() = 0;

  // Of what this method trains, and how; the loop adds the rest.
  [[nodiscard]] virtual JournalHeader journal_header() = 0;

  struct Step {
    std::vector<zo::StepRecord> records;
    double forward_seconds = 0;  // losses, and gradients where there are any
  };
  // `before_update` sees the records before anything is changed. Records of a first-order step: qzo/train/journal.h.
  virtual Step step(std::uint64_t step, double lr, std::span<const std::int64_t> batch,
                    const std::function<void(std::span<const zo::StepRecord>)>& before_update) = 0;

  // Repeats a step from its records. Only called if the journal header says that records can be replayed.
  virtual void replay(std::span<const zo::StepRecord> records) = 0;

  // What a checkpoint holds: views of the live state.
  virtual CheckpointContent content() = 0;
  // What was trained has been loaded from a checkpoint.
  virtual void loaded() {}
};

}  // namespace qzo::train
