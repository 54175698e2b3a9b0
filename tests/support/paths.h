#pragma once
// Where golden data stands; tests that need it skip with the reason where it is absent.

#include <cstdlib>
#include <filesystem>

namespace qzo::tests {

inline std::filesystem::path from_environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::filesystem::path(value) : std::filesystem::path(QZO_SOURCE_DIR) / otherwise;
}
inline std::filesystem::path oracles() { return from_environment("QZO_ORACLES", "../shared/oracles"); }
inline std::filesystem::path data() { return from_environment("QZO_DATA", "../shared/data"); }

}  // namespace qzo::tests
