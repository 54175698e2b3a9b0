#pragma once
// A folder that is complete or absent: built as ".NAME.partial" beside its destination, then renamed. A leftover of a
// killed writer is removed by the next one.

#include <filesystem>

namespace qzo::io {

// Absolute and free of links, so that two spellings of one place are seen to be the same.
std::filesystem::path resolve(const std::filesystem::path& path);

bool lies_within(const std::filesystem::path& path, const std::filesystem::path& folder);

// EnvironmentError if something in it refuses.
void remove_folder(const std::filesystem::path& folder);

// Puts `finished` where `destination` is, then removes what stood there. An interruption leaves the old or the new
// folder.
void replace_folder(const std::filesystem::path& finished, const std::filesystem::path& destination);

// Removed by the destructor unless committed.
class OutputFolder {
 public:
  // Makes the unfinished folder and the missing parents. `destination` resolved.
  explicit OutputFolder(std::filesystem::path destination);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& unfinished() const { return partial_; }
  // What is in it must be synced by then.
  void commit();

 private:
  std::filesystem::path destination_, partial_;
};

}  // namespace qzo::io
