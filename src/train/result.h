#pragma once
// result.json: written last, whatever ended the run on purpose (all steps done, a signal, the guard).

#include <optional>
#include <string>

#include "qzo/core/run_folder.h"
#include "qzo/train/loop.h"

#include "train/loop_state.h"

namespace qzo::train {

LoopResult make_result(const LoopState& state);

// `status`: "done", "interrupted" or "stopped"; `reason`: a sentence; `optimizer`: null if there is none.
void write_result(const core::RunFolder& folder, const LoopState& state, const LoopSettings& settings,
                  const std::string& status, const std::string& reason, const optim::Optimizer* optimizer);

// Of a run that has done all `steps`; nullopt otherwise, also if the file is absent or damaged (then the run is
// finished once more).
std::optional<LoopResult> read_finished_result(const core::RunFolder& folder, std::uint64_t steps);

}  // namespace qzo::train
