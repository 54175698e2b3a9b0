#pragma once
// Tests made of golden folders at run time, one for each.

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "support/oracle.h"

namespace qzo::tests {

// A test of suite `suite` for each folder of a section, Case(folder); Fixture is what they have in common. Returns how
// many there are.
template <class Case, class Fixture = Case>
std::size_t register_cases(const char* suite, const std::string& section) {
  const std::vector<std::filesystem::path> cases = oracle_cases(section);
  for (const std::filesystem::path& folder : cases) {
    ::testing::RegisterTest(suite, folder.filename().string().c_str(), nullptr, nullptr, __FILE__, __LINE__,
                            [folder]() -> Fixture* { return new Case(folder); });
  }
  return cases.size();
}

class OraclesAbsent : public ::testing::Test {
 public:
  void TestBody() override {
    GTEST_SKIP() << "no golden cases in " << oracles().string() << ": set QZO_ORACLES to their folder";
  }
};

// One skipped test in place of cases that are not there.
inline void register_absence(const char* suite) {
  ::testing::RegisterTest(suite, "Absent", nullptr, nullptr, __FILE__, __LINE__,
                          []() -> ::testing::Test* { return new OraclesAbsent; });
}

}  // namespace qzo::tests
