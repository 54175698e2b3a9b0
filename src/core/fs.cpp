#include "qzo/core/fs.h"

#include <cerrno>
#include <cstring>
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
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  // Errors of delayed writes surface here.
  int close() { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

// Without blocking on a pipe, which is refused then.
Descriptor open_regular(const std::filesystem::path& file, std::size_t* size) {
  Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) throw UserError(text("cannot open ", file.string(), ": ", reason()));
  struct stat info {};
  if (::fstat(descriptor.get(), &info) != 0) {
    throw EnvironmentError(text("cannot read the size of ", file.string(), ": ", reason()));
  }
  if (!S_ISREG(info.st_mode)) throw UserError(text(file.string(), " is not a regular file"));
  *size = static_cast<std::size_t>(info.st_size);
  return descriptor;
}

void fsync_path(const std::filesystem::path& path, int flags) {
  const Descriptor file(::open(path.c_str(), flags | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) {
    throw EnvironmentError(text("cannot sync ", path.string(), " to disk: ", reason()));
  }
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& file) : path_(file) {
  const Descriptor descriptor = open_regular(file, &size_);
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

void forget_pages(std::span<const std::byte> mapped) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(mapped.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(mapped.data() + mapped.size()) / page * page;
  // Only advice: a refusal costs memory, nothing else.
  if (begin < end) static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED));
}

std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  std::size_t size = 0;
  const Descriptor in = open_regular(file, &size);
  const auto check_size = [&](std::size_t bytes) {
    if (bytes <= max_bytes) return;
    throw UserError(text(file.string(), " has ", bytes, " bytes or more; at most ", max_bytes, " are accepted here"));
  };
  check_size(size);
  // To the end of the file, whatever size it reports: a file may be growing, and those in /proc report 0.
  std::string bytes(size + 1, '\0');
  std::size_t filled = 0;
  for (;;) {
    if (filled == bytes.size()) bytes.resize(bytes.size() * 2);
    const ssize_t got = ::read(in.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw EnvironmentError(text("cannot read ", file.string(), ": ", reason()));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
    check_size(filled);
  }
  bytes.resize(filled);
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
