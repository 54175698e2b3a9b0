#pragma once
// A file that only grows, in whole records: a write that fails half-way is taken back, so the file always ends with the
// last whole record that was accepted (unless the process is killed inside the write; readers cut such a tail).

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace qzo::train {

class AppendFile {
 public:
  // Opens or creates for appending. EnvironmentError if that fails.
  explicit AppendFile(std::filesystem::path file);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Appends all of `bytes` or, with EnvironmentError (disk full), nothing.
  void append(std::span<const std::byte> bytes);
  void append(std::string_view text) { append(std::as_bytes(std::span(text.data(), text.size()))); }
  // Shortens to `bytes`; InternalError if the file is shorter.
  void cut(std::uint64_t bytes);
  void sync();
  // Claims the file for this process until it is closed. UserError if another process holds it; file systems that have
  // no locks count as claimed.
  void lock();

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int fd_;
  std::uint64_t bytes_ = 0;
};

}  // namespace qzo::train
