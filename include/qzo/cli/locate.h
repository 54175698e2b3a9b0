#pragma once
// What a path on a command line means: checkpoint or run folder, recipe or config of a run.

#include <filesystem>
#include <string>
#include <vector>

#include "qzo/config/run_config.h"

namespace qzo::cli {

// A folder that a run has left: config.json with values and sources, and a journal.
bool is_run_folder(const std::filesystem::path& path);

// The checkpoint behind a path that may also be a run folder (then RUN/model) or a folder with one .gguf file.
// UserError if there is nothing, or a run folder without a tuned model.
std::filesystem::path find_checkpoint(const std::filesystem::path& path);

// A recipe, or the config.json of a run (told apart by content).
config::LoadedConfig load_any_config(const std::filesystem::path& file, const std::vector<std::string>& overrides);

}  // namespace qzo::cli
