#pragma once
#include <string>

namespace qzo::core {
std::string version();     // "0.1.0"
std::string commit();      // short hash, or "unknown"
std::string build_text();  // one line: version, commit, compiler, build type
}  // namespace qzo::core
