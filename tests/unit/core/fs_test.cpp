#include "qzo/core/fs.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "qzo/core/error.h"
#include "qzo/core/memory.h"

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
}

TEST(Memory, is_plausible) {
  EXPECT_GT(resident_bytes(), 1U << 20);
  EXPECT_GE(peak_resident_bytes(), resident_bytes());
  EXPECT_GT(available_bytes(), 1U << 20);
}

}  // namespace
}  // namespace qzo::core
