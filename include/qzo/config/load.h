#pragma once
// JSON recipe + --set overrides -> RunConfig with the source of each value. Strict: unknown keys (with the nearest
// known name), types, ranges and cross-field rules are all checked, and all problems are reported in one UserError,
// numbered.

#include <string>
#include <vector>

#include "qzo/config/run_config.h"
#include "qzo/core/json_file.h"

namespace qzo::config {

// `overrides`: "zo.eps=1e-2"; the value is read as JSON, else as a string. Relative paths in the file are relative to
// the file; in overrides, to the current folder; the result has absolute paths. Files that are named need not exist
// yet.
LoadedConfig load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides);
// The text of a config (fuzzing, tests); `name` stands for the file.
LoadedConfig load_config_text(std::string_view text, const std::string& name,
                              const std::vector<std::string>& overrides);

// Fills eps, lr where the published settings of `format` (gptq) apply and they are not stated; where none are published
// (other formats, or gptq with relative eps) both must be stated: UserError naming the keys.
void apply_format_defaults(LoadedConfig& config, const std::string& format);

// Replaces "auto" in `key` (model.precision) by what was chosen on this machine.
void resolve_auto(LoadedConfig& config, const std::string& key, const std::string& chosen);

// Checks that the files and folders of the recipe exist: one UserError for all that do not.
void check_files(const LoadedConfig& config);

// Effective config as JSON: {"zo": {"eps": {"value": 0.001, "source": "default"}, ...}, ...}. Sources: "default",
// "published for the format", "detected", "FILE:LINE", "--set".
core::Json effective_json(const LoadedConfig& config);
// The same as text for people: one line a key.
std::string effective_text(const LoadedConfig& config);
// The inverse, for resume, replay and report. `source` names the file in errors. Strict: every key must be there.
LoadedConfig load_effective(const core::Json& json, const std::string& source,
                            const std::vector<std::string>& overrides = {});
RunConfig from_effective_json(const core::Json& json, const std::string& source);

// XXH3 over the values that change the trajectory (not paths, threads, logging).
std::uint64_t trajectory_hash(const RunConfig& config);
// The keys behind a difference of that hash: "train.lr: 0.001 there, 0.002 here".
std::vector<std::string> trajectory_differences(const RunConfig& there, const RunConfig& here);

// JSON Schema (draft 2020-12) and a text table of all keys, from the same declarations.
core::Json json_schema();
// `prefix`: "" (all), a group ("zo") or a key ("zo.eps"); UserError with the nearest name if there is none such.
std::string describe_keys(const std::string& prefix = "");
// A complete recipe with the published settings of `format` and placeholders for paths. UserError listing the formats
// with published settings for any other.
core::Json default_config(const std::string& format);

}  // namespace qzo::config
