#include "qzo/core/fs.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::core {

namespace {

std::string reason() { return std::strerror(errno); }

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  // Errors of delayed writes surface here.
  int close() { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

void fsync_path(const std::filesystem::path& path, int flags) {
  const Descriptor file(::open(path.c_str(), flags | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) {
    throw EnvironmentError(text("cannot sync ", path.string(), " to disk: ", reason()));
  }
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& file) : path_(file) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0) throw UserError(text("cannot open ", file.string(), ": ", reason()));
  struct stat info {};
  if (::fstat(descriptor.get(), &info) != 0) {
    throw EnvironmentError(text("cannot read the size of ", file.string(), ": ", reason()));
  }
  if (!S_ISREG(info.st_mode)) throw UserError(text(file.string(), " is not a regular file"));
  size_ = static_cast<std::size_t>(info.st_size);
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (mapped == MAP_FAILED) throw EnvironmentError(text("cannot map ", file.string(), " into memory: ", reason()));
  data_ = static_cast<const std::byte*>(mapped);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (error || !std::filesystem::exists(status)) throw UserError(text("cannot open ", file.string(), ": no such file"));
  if (!std::filesystem::is_regular_file(status)) throw UserError(text(file.string(), " is not a regular file"));
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UserError(text("cannot open ", file.string(), ": ", reason()));
  const std::uint64_t size = std::filesystem::file_size(file, error);
  if (!error && size > max_bytes) {
    throw UserError(text(file.string(), " has ", size, " bytes; at most ", max_bytes, " are accepted here"));
  }
  std::string bytes(error ? 0 : size, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (static_cast<std::uint64_t>(in.gcount()) != bytes.size()) {
    throw EnvironmentError(
        text("cannot read ", file.string(), ": it ended after ", in.gcount(), " of ", size, " bytes"));
  }
  return bytes;
}

void write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw EnvironmentError(text("cannot write ", path.string(), ": ", reason()));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void write_file_atomically(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const std::filesystem::path temporary = folder / ("." + file.filename().string() + ".tmp");
  try {
    Descriptor out(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (out.get() < 0) throw EnvironmentError(text("cannot create ", temporary.string(), ": ", reason()));
    write_all(out.get(), bytes, file);
    if (::fsync(out.get()) != 0 || out.close() != 0 || ::rename(temporary.c_str(), file.c_str()) != 0) {
      throw EnvironmentError(text("cannot write ", file.string(), ": ", reason()));
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  fsync_folder(folder);
}

void write_file_atomically(const std::filesystem::path& file, std::string_view bytes) {
  write_file_atomically(file, std::as_bytes(std::span(bytes.data(), bytes.size())));
}

void fsync_file(const std::filesystem::path& file) { fsync_path(file, O_RDONLY); }
void fsync_folder(const std::filesystem::path& folder) { fsync_path(folder, O_RDONLY | O_DIRECTORY); }

}  // namespace qzo::core
