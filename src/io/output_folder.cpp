#include "io/output_folder.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <stdio.h>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"

#include "io/output_file.h"

namespace qzo::io {

namespace fs = std::filesystem;

bool lies_within(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

fs::path resolve(const fs::path& path) {
  fs::path resolved = fs::weakly_canonical(fs::absolute(path));
  return resolved.has_filename() ? resolved : resolved.parent_path();
}

void remove_folder(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) throw core::EnvironmentError(core::text(folder.string(), ": cannot be removed (", error.message(), ')'));
}

void replace_folder(const fs::path& finished, const fs::path& destination) {
  if (!fs::exists(destination)) {
    if (::rename(finished.c_str(), destination.c_str()) != 0)
      fail_with_errno("put the finished folder into its place", destination);
    return;
  }
  if (::renameat2(AT_FDCWD, finished.c_str(), AT_FDCWD, destination.c_str(), RENAME_EXCHANGE) == 0) {
    remove_folder(finished);  // the old content
    return;
  }
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) fail_with_errno("replace the folder", destination);
  // File systems without an atomic exchange: for a moment the old folder is found under its second name only.
  const fs::path previous = destination.parent_path() / ("." + destination.filename().string() + ".previous");
  remove_folder(previous);
  if (::rename(destination.c_str(), previous.c_str()) != 0) fail_with_errno("set the old folder aside", destination);
  if (::rename(finished.c_str(), destination.c_str()) != 0) {
    const int reason = errno;
    static_cast<void>(::rename(previous.c_str(), destination.c_str()));
    errno = reason;
    fail_with_errno("put the finished folder into its place", destination);
  }
  remove_folder(previous);
}

OutputFolder::OutputFolder(fs::path destination)
    : destination_(std::move(destination)), partial_(partial_path(destination_)) {
  fs::create_directories(destination_.parent_path());
  remove_folder(partial_);
  fs::create_directory(partial_);
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (!partial_.empty()) fs::remove_all(partial_, ignored);
}

void OutputFolder::commit() {
  replace_folder(partial_, destination_);
  partial_.clear();
  core::fsync_folder(destination_.parent_path());
}

}  // namespace qzo::io
