#pragma once
// JSON recipe + --set overrides -> RunConfig with the source of each value. Strict: unknown keys (with the nearest known
// name), types, ranges and cross-field rules are all checked, and all problems are reported in one UserError, numbered.

#include <string>
#include <vector>

#include "qzo/core/json_file.h"
#include "qzo/config/run_config.h"

namespace qzo::config {

// `overrides`: "zo.eps=1e-2". Relative paths in the file are relative to the file; in overrides, to the current folder.
LoadedConfig load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides);
// The text of a config (fuzzing, tests); `name` stands for the file.
LoadedConfig load_config_text(std::string_view text, const std::string& name, const std::vector<std::string>& overrides);

// Fills eps, eps_mode, lr, clip where the published settings of `format` (gptq) apply; for formats without published
// settings every one of eps, lr must be stated: UserError naming the keys.
void apply_format_defaults(LoadedConfig& config, const std::string& format);

// Effective config as JSON: {"zo": {"eps": {"value": 0.001, "source": "default"}, ...}, ...}.
core::Json effective_json(const LoadedConfig& config);
// The inverse, for resume, replay and report.
RunConfig from_effective_json(const core::Json& json, const std::string& source);

// XXH3 over the values that change the trajectory (not paths of output, threads, logging).
std::uint64_t trajectory_hash(const RunConfig& config);

// JSON Schema (draft 2020-12) and a text table of all keys, from the same declarations.
core::Json json_schema();
std::string describe_keys(const std::string& prefix = "");

}  // namespace qzo::config
