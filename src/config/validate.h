#pragma once
// Rules that concern several settings at once. Nothing is repaired: each sentence offers the repairs.

#include <set>
#include <string>
#include <vector>

#include "qzo/config/run_config.h"

namespace qzo::config {

// `unusable`: keys whose value has been refused already; rules about them keep quiet.
std::vector<std::string> cross_field_problems(const LoadedConfig& config, const std::set<std::string>& unusable);

// UserError with the one problem, or with all of them numbered. Returns if there are none.
void throw_problems(const std::vector<std::string>& problems, const std::string& file);

}  // namespace qzo::config
