#pragma once
// What qzo-train --dry-run prints: settings with sources, what was detected, samples, memory.

#include <cstdint>
#include <string>

#include "qzo/cli/assemble.h"

namespace qzo::cli {

std::string dry_run_text(Assembly& assembly, std::uint64_t runtime_bytes);

}  // namespace qzo::cli
