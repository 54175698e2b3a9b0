#pragma once
// Files: memory maps, whole reads, writes that are either complete or absent.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace qzo::core {

// A file mapped read-only. Movable; unmaps in the destructor. Throws UserError (absent, not a regular file) or
// EnvironmentError (mapping failed). An empty file gives an empty span.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Gives back the memory of mapped bytes that will not be needed soon; they are read from the file again if they are.
void forget_pages(std::span<const std::byte> mapped);

// UserError if absent or larger than `max_bytes`.
std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes = 1ull << 30);

// Writes beside `file` under a temporary name, fsyncs, renames over it, fsyncs the folder. EnvironmentError on failure
// (disk full, permissions); the temporary is removed and what stood there before is untouched.
void write_file_atomically(const std::filesystem::path& file, std::string_view bytes);
void write_file_atomically(const std::filesystem::path& file, std::span<const std::byte> bytes);

void fsync_file(const std::filesystem::path& file);
void fsync_folder(const std::filesystem::path& folder);

// write(2) until all is written; EnvironmentError naming `path` and the system's reason otherwise.
void write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path);

}  // namespace qzo::core
