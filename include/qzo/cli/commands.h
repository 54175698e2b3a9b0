#pragma once
// The programs. Results go to stdout, messages and progress to stderr; everything that fails is thrown (messages.h).

#include "qzo/core/error.h"

namespace qzo::cli {

core::ExitCode train_command(int argc, const char* const* argv);
core::ExitCode eval_command(int argc, const char* const* argv);
core::ExitCode inspect_command(int argc, const char* const* argv);
core::ExitCode replay_command(int argc, const char* const* argv);
core::ExitCode quantize_command(int argc, const char* const* argv);
core::ExitCode bench_command(int argc, const char* const* argv);

}  // namespace qzo::cli
