#include "io/output_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"

namespace qzo::io {

std::filesystem::path partial_path(const std::filesystem::path& destination) {
  return destination.parent_path() / ("." + destination.filename().string() + ".partial");
}

void fail_with_errno(const char* action, const std::filesystem::path& path) {
  const std::string reason = std::generic_category().message(errno);
  throw core::EnvironmentError(core::text(path.string(), ": cannot ", action, " (", reason, ")"));
}

OutputFile::OutputFile(std::filesystem::path path)
    : path_(std::move(path)), fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (fd_ < 0) fail_with_errno("create the file", path_);
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!keep_) ::unlink(path_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) { core::write_all(fd_, bytes, path_); }

void OutputFile::write_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) fail_with_errno("write", path_);
  write(bytes);
}

void OutputFile::set_mode(mode_t mode) {
  if (::fchmod(fd_, mode) != 0) fail_with_errno("set the permissions", path_);
}

void OutputFile::finish() {
  if (::fsync(fd_) != 0) fail_with_errno("write to the disk", path_);
  // Network file systems report a full disk as late as here.
  if (::close(std::exchange(fd_, -1)) != 0) fail_with_errno("close the file", path_);
  keep_ = true;
}

void OutputFile::commit(const std::filesystem::path& destination) {
  finish();
  if (::rename(path_.c_str(), destination.c_str()) != 0) {
    keep_ = false;
    fail_with_errno("put the finished file into its place", destination);
  }
  core::fsync_folder(destination.has_parent_path() ? destination.parent_path() : std::filesystem::path("."));
}

}  // namespace qzo::io
