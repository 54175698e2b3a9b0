#pragma once
// The kinds of failure and the exit code of each. Libraries throw these; only the mains in src/apps/ print and exit.

#include <stdexcept>
#include <string>

namespace qzo::core {

enum class ExitCode : int {
  kDone = 0,
  kRunFailed = 1,      // machine or environment: disk, memory mapping, anything not listed
  kUsage = 2,          // the user's mistake: usage, config, data, unsupported or broken file
  kGuard = 3,          // stopped by the guard (non-finite or diverging loss)
  kOutOfMemory = 4,    // host memory
  kInternal = 70,      // a failed check of our own: please report
  kInterrupted = 130,  // SIGINT, state saved
  kTerminated = 143,   // SIGTERM, state saved
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

// The user can repair it. The sentence names file, field, what was found, what was expected and what to do.
class UserError : public Error {
 public:
  explicit UserError(const std::string& sentence) : Error(ExitCode::kUsage, sentence) {}
};

// The machine failed: disk full, file vanished, no memory map.
class EnvironmentError : public Error {
 public:
  explicit EnvironmentError(const std::string& sentence) : Error(ExitCode::kRunFailed, sentence) {}
};

// The guard ended a run on purpose.
class GuardError : public Error {
 public:
  explicit GuardError(const std::string& sentence) : Error(ExitCode::kGuard, sentence) {}
};

// A bug of ours.
class InternalError : public Error {
 public:
  explicit InternalError(const std::string& sentence) : Error(ExitCode::kInternal, sentence) {}
};

}  // namespace qzo::core
