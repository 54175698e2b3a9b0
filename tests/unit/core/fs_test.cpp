#include "qzo/core/fs.h"

#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qzo/core/error.h"

namespace qzo::core {
namespace {

class Files : public testing::Test {
 protected:
  Files() { std::filesystem::create_directories(folder_); }
  ~Files() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("qzo_fs_test_" + std::to_string(::getpid()));
};

TEST_F(Files, writes_atomically_and_maps) {
  const auto file = folder_ / "a.bin";
  write_file_atomically(file, std::string_view("first"));
  write_file_atomically(file, std::string_view("second"));
  EXPECT_EQ(read_file(file), "second");
  const MappedFile map(file);
  EXPECT_EQ(map.bytes().size(), 6U);
  EXPECT_EQ(static_cast<char>(map.bytes()[0]), 's');
  write_file_atomically(file, std::string_view(""));
  EXPECT_TRUE(MappedFile(file).bytes().empty());
}

TEST_F(Files, a_failed_write_keeps_what_was_there) {
  const auto file = folder_ / "a.bin";
  write_file_atomically(file, std::string_view("precious"));
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(write_file_atomically(file, std::string(1000, 'x')), EnvironmentError);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file(file), "precious");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "no temporary is left";
}

TEST_F(Files, a_full_disk_is_told_with_the_systems_reason) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full < 0) GTEST_SKIP() << "no /dev/full";
  try {
    write_all(full, std::as_bytes(std::span("bytes")), "run/journal.bin");
    ADD_FAILURE() << "written to a full disk";
  } catch (const EnvironmentError& error) {
    EXPECT_STREQ(error.what(), "cannot write run/journal.bin: No space left on device");
  }
  ::close(full);
}

TEST_F(Files, a_target_that_cannot_be_replaced_leaves_no_temporary) {
  std::filesystem::create_directories(folder_ / "taken" / "inside");
  EXPECT_THROW(write_file_atomically(folder_ / "taken", std::string_view("x")), EnvironmentError);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
  EXPECT_THROW(write_file_atomically(folder_ / "absent" / "a", std::string_view("x")), EnvironmentError);
}

TEST_F(Files, files_of_unknown_size_are_read_to_the_end_and_pipes_refused) {
  EXPECT_NE(read_file("/proc/self/status").find("VmRSS:"), std::string::npos);
  EXPECT_THROW((void)read_file("/proc/self/status", 10), UserError);
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW((void)read_file(pipe), UserError);
  EXPECT_THROW(MappedFile map(pipe), UserError);
}

TEST_F(Files, a_map_moves_with_its_bytes) {
  const auto file = folder_ / "a.bin";
  write_file_atomically(file, std::string_view("mapped"));
  MappedFile map(file);
  const std::byte* data = map.bytes().data();
  const MappedFile moved(std::move(map));
  EXPECT_EQ(moved.bytes().data(), data);
  EXPECT_EQ(moved.path(), file);
  write_file_atomically(file, std::string_view("other!"));
  EXPECT_EQ(static_cast<char>(moved.bytes()[0]), 'm') << "the file that was mapped lives on";
}

TEST_F(Files, errors_name_the_file) {
  const auto absent = folder_ / "absent";
  for (const auto& action : {+[](const std::filesystem::path& p) { MappedFile map(p); },
                             +[](const std::filesystem::path& p) { (void)read_file(p); }}) {
    try {
      action(absent);
      FAIL();
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find(absent.string()), std::string::npos);
    }
    EXPECT_THROW(action(folder_), UserError);
  }
  write_file_atomically(folder_ / "big", std::string(1000, 'x'));
  EXPECT_THROW((void)read_file(folder_ / "big", 999), UserError);
  EXPECT_EQ(read_file(folder_ / "big", 1000).size(), 1000U);
}

}  // namespace
}  // namespace qzo::core
