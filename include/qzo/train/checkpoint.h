#pragma once
// RUN/checkpoints/step-000400/: state.json, scales.safetensors (fp32 masters, one tensor each), DONE written last.
// Written under a temporary name, every file fsynced, renamed; only folders with DONE count. state.json carries the
// XXH3-64 of the masters, so a damaged file is noticed when it is read.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "qzo/core/json_file.h"
#include "qzo/core/run_folder.h"
#include "qzo/zo/qzo.h"

namespace qzo::train {

struct CheckpointState {
  std::uint64_t steps_done = 0;
  std::uint64_t journal_bytes = 0;  // valid journal length at that moment
  core::Json counters;              // best metric, skipped steps and whatever else the loop carries
};

void save_checkpoint(const core::RunFolder& folder, const CheckpointState& state,
                     std::span<const zo::TrainableScales> tensors);

// Complete checkpoints by ascending step.
std::vector<std::uint64_t> list_checkpoints(const core::RunFolder& folder);

// Loads into `tensors`; UserError naming the file if anything is missing, damaged or of another shape.
CheckpointState load_checkpoint(const core::RunFolder& folder, std::uint64_t step,
                                std::span<zo::TrainableScales> tensors);

// The newest that loads; damaged ones are reported through `warn` and passed over. nullopt if none.
std::optional<CheckpointState> load_newest_checkpoint(const core::RunFolder& folder,
                                                      std::span<zo::TrainableScales> tensors,
                                                      const std::function<void(const std::string&)>& warn);

// Deletes all but the newest `keep_last` and those in `pinned`. Call only after a new one is complete.
void retain_checkpoints(const core::RunFolder& folder, int keep_last, std::span<const std::uint64_t> pinned);

}  // namespace qzo::train
