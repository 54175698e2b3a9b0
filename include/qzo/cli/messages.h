#pragma once
// Exceptions -> one sentence on stderr and an exit code. Only the mains call this; libraries throw.

#include <functional>
#include <string>

#include "qzo/core/error.h"

namespace qzo::cli {

// Runs a program. Returns the exit code to leave with; prints "error: ..." at most once. A write error on stdout counts
// as a failed run. Nothing escapes.
int run_main(const std::function<core::ExitCode()>& program) noexcept;

}  // namespace qzo::cli
