#include "qzo/cli/messages.h"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string_view>

#include <c10/util/Exception.h>

#include "qzo/core/text.h"

namespace qzo::cli {
namespace {

using core::ExitCode;

struct Failure {
  ExitCode code;
  std::string sentence;
};

Failure internal(const std::string& what) { return {ExitCode::kInternal, "internal error, please report: " + what}; }

// Must be called from a catch block.
Failure current_failure() {
  try {
    throw;
  } catch (const core::Error& error) {
    return error.code() == ExitCode::kInternal ? internal(error.what()) : Failure{error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {ExitCode::kOutOfMemory,
            "out of memory. qzo-train --dry-run shows what is needed; zo.signs \"sequential\" and "
            "train.max_tokens_per_pass need less."};
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    // LibTorch's CPU allocator reports a lack of memory as an ordinary error.
    if (what.find("DefaultCPUAllocator") != std::string::npos) {
      return {ExitCode::kOutOfMemory, "out of memory (" + what.substr(0, what.find('\n')) + ")"};
    }
    return internal(what);
  } catch (const std::filesystem::filesystem_error& error) {
    return {ExitCode::kRunFailed, error.what()};
  } catch (const std::exception& error) {
    return internal(error.what());
  } catch (...) {
    return internal("an exception of unknown type");
  }
}

}  // namespace

int run_main(const std::function<ExitCode()>& program) noexcept {
  try {
    try {
      const ExitCode code = program();
      std::cout.flush();
      if (!std::cout) throw core::EnvironmentError("could not write to standard output");
      return static_cast<int>(code);
    } catch (...) {
      const Failure failure = current_failure();
      std::cout.flush();
      std::cerr << (failure.code == ExitCode::kGuard ? "stopped: " : "error: ") << failure.sentence << std::endl;
      return static_cast<int>(failure.code);
    }
  } catch (...) {
    // The sentence itself could not be built: memory is gone.
    std::fputs("error: out of memory\n", stderr);
    return static_cast<int>(ExitCode::kOutOfMemory);
  }
}

}  // namespace qzo::cli
