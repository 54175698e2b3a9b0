#pragma once
// RUN/checkpoints/step-000400/: state.json, scales.safetensors (fp32 masters, one tensor each) or, of a first-order
// run, weights.safetensors (what is trained) and optimizer.safetensors (its states), DONE written last. Written under a
// temporary name (".step-000400.tmp"), every file fsynced, DONE last, then renamed: the rename is what makes it count.
// Only folders of that name with DONE are believed. state.json carries the XXH3-64 of the masters (and of
// optimizer.safetensors), so a damaged file is noticed when it is read.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "qzo/core/dtype.h"
#include "qzo/core/json_file.h"
#include "qzo/core/run_folder.h"
#include "qzo/optim/optimizer.h"
#include "qzo/zo/qzo.h"

namespace qzo::train {

struct CheckpointState {
  std::uint64_t steps_done = 0;
  std::uint64_t journal_bytes = 0;  // valid journal length at that moment
  core::Json counters;              // best metric, skipped steps and whatever else the loop carries
};

struct CheckpointTensor {
  std::string name;
  core::Dtype dtype = core::Dtype::kF32;
  std::vector<std::int64_t> shape;
  std::span<std::byte> bytes;  // live
};

// What is saved and loaded: views of live state.
struct CheckpointContent {
  CheckpointContent() = default;
  // Masters, one tensor each, in scales.safetensors.
  CheckpointContent(std::span<const zo::TrainableScales> scales);     // NOLINT(google-explicit-constructor)
  CheckpointContent(const std::vector<zo::TrainableScales>& scales);  // NOLINT(google-explicit-constructor)
  std::string file = "scales.safetensors";
  std::vector<CheckpointTensor> tensors;
  optim::Optimizer* optimizer = nullptr;  // its states go into optimizer.safetensors; null: there is none
};

// XXH3-64 over the bytes of all tensors in order: the checksum that journals carry.
std::uint64_t content_checksum(const CheckpointContent& content);

// "step-000400".
std::string checkpoint_name(std::uint64_t step);
std::filesystem::path checkpoint_path(const core::RunFolder& folder, std::uint64_t step);

// Replaces a checkpoint of the same step. EnvironmentError (disk full): nothing half-written is left, all earlier
// checkpoints are as they were.
void save_checkpoint(const core::RunFolder& folder, const CheckpointState& state, const CheckpointContent& content);

// Complete checkpoints by ascending step.
std::vector<std::uint64_t> list_checkpoints(const core::RunFolder& folder);

// Loads into `content`, which is untouched if it throws: UserError naming the file if anything is missing, damaged or
// of another shape.
CheckpointState load_checkpoint(const core::RunFolder& folder, std::uint64_t step, const CheckpointContent& content);

// Its state.json alone. UserError if that is missing or damaged.
CheckpointState read_checkpoint_state(const core::RunFolder& folder, std::uint64_t step);

// The same checks as loading, without loading.
CheckpointState verify_checkpoint(const core::RunFolder& folder, std::uint64_t step, const CheckpointContent& content);

// The newest that loads; damaged ones are reported through `warn` and passed over. nullopt if none: then `content` is
// untouched. `accept` may throw UserError to pass over a checkpoint for a reason of the caller's, before it is loaded.
std::optional<CheckpointState> load_newest_checkpoint(const core::RunFolder& folder, const CheckpointContent& content,
                                                      const std::function<void(const std::string&)>& warn,
                                                      const std::function<void(const CheckpointState&)>& accept = {});

// Deletes all but the newest `keep_last` and those in `pinned`. Call only after a new one is complete.
void retain_checkpoints(const core::RunFolder& folder, int keep_last, std::span<const std::uint64_t> pinned);

// Deletes all of later steps: where a run goes on from an older one, they would count as the newest.
void discard_checkpoints_after(const core::RunFolder& folder, std::uint64_t step);

// Removes what a killed save or deletion left under a temporary name.
void remove_stale_checkpoints(const core::RunFolder& folder);

}  // namespace qzo::train
