#pragma once
// Numbers and metrics as they stand in log.jsonl, state.json and result.json. JSON knows no NaN or infinity, and hiding
// them would hide failures: they are written as the strings "nan", "inf", "-inf".

#include <optional>
#include <string>

#include "qzo/core/json_file.h"
#include "qzo/tasks/metrics.h"

namespace qzo::train {

core::Json number_json(double value);
core::Json metrics_json(const tasks::Metrics& metrics);

// The inverse. UserError naming `source` and the key if it is absent or of another kind.
double read_number(const core::Json& object, const std::string& key, const std::string& source);
std::uint64_t read_count(const core::Json& object, const std::string& key, const std::string& source);
// nullopt where the value is null.
std::optional<std::uint64_t> read_optional_count(const core::Json& object, const std::string& key,
                                                 const std::string& source);
std::optional<tasks::Metrics> read_optional_metrics(const core::Json& object, const std::string& key,
                                                    const std::string& source);

}  // namespace qzo::train
