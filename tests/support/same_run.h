#pragma once
// Two runs that took the same steps, whatever happened on the way.

#include "support/programs.h"

namespace qzo::tests {

// Files whose bytes must not depend on what happened on the way.
inline std::vector<std::string> lasting_files(const fs::path& run) {
  std::vector<std::string> files = {"journal.bin", "best", "latest"};
  for (const char* folder : {"model", "checkpoints"}) {
    for (const auto& entry : fs::recursive_directory_iterator(run / folder)) {
      if (entry.is_regular_file() && entry.path().filename() != "state.json") {
        files.push_back(fs::relative(entry.path(), run).string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// `least`: how many such files a run of the caller's kind has at least.
inline void expect_same_run(const fs::path& a, const fs::path& b, const std::string& what, std::size_t least) {
  const std::vector<std::string> files = lasting_files(a);
  EXPECT_EQ(files, lasting_files(b)) << what;
  EXPECT_GE(files.size(), least);
  for (const std::string& file : files) EXPECT_TRUE(read(a / file) == read(b / file)) << what << ": " << file;
}

}  // namespace qzo::tests
