#pragma once
// A file that is complete or absent: written beside its destination as ".NAME.partial", then renamed over it. A
// leftover of a killed writer is overwritten by the next one. One writer per destination.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include <sys/types.h>

namespace qzo::io {

// "DIR/NAME" -> "DIR/.NAME.partial".
std::filesystem::path partial_path(const std::filesystem::path& destination);

// EnvironmentError "PATH: cannot ACTION (reason of errno)".
[[noreturn]] void fail_with_errno(const char* action, const std::filesystem::path& path);

// An open file for writing; removed again by the destructor unless finished.
class OutputFile {
 public:
  // Creates or truncates `path`. EnvironmentError if it cannot be created.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  // At this place, whatever was written before; the file grows as needed.
  void write_at(std::span<const std::byte> bytes, std::uint64_t offset);
  void set_mode(mode_t mode);
  // Syncs and closes; the file stays. EnvironmentError if the disk refuses.
  void finish();
  // finish(), then renames over `destination` and syncs its folder.
  void commit(const std::filesystem::path& destination);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  bool keep_ = false;
};

}  // namespace qzo::io
