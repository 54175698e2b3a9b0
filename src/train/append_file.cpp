#include "train/append_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"

namespace qzo::train {
namespace {

[[noreturn]] void fail(const char* action, const std::filesystem::path& path) {
  throw core::EnvironmentError(
      core::text("cannot ", action, " ", path.string(), ": ", std::generic_category().message(errno)));
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path file)
    : path_(std::move(file)), fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  struct stat info {};
  if (fd_ < 0 || ::fstat(fd_, &info) != 0) {
    if (fd_ >= 0) ::close(fd_);
    fail("open", path_);
  }
  bytes_ = static_cast<std::uint64_t>(info.st_size);
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::append(std::span<const std::byte> bytes) {
  try {
    core::write_all(fd_, bytes, path_);
  } catch (const core::EnvironmentError&) {
    // Freeing blocks needs no space, so this works on a full disk. If even this fails, readers cut the torn record.
    [[maybe_unused]] const int ignored = ::ftruncate(fd_, static_cast<off_t>(bytes_));
    throw;
  }
  bytes_ += bytes.size();
}

void AppendFile::cut(std::uint64_t bytes) {
  QZO_CHECK(bytes <= bytes_, path_.string(), " has ", bytes_, " bytes, ", bytes, " should stay");
  if (bytes == bytes_) return;
  if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) fail("shorten", path_);
  bytes_ = bytes;
}

void AppendFile::sync() {
  if (::fdatasync(fd_) != 0) fail("sync", path_);
}

void AppendFile::lock() {
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK) {
    throw core::UserError(core::text(path_.string(), " is being written by another process; wait for it or end it"));
  }
}

}  // namespace qzo::train
