#include "qzo/core/memory.h"

#include <fstream>
#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace qzo::core {
namespace {

TEST(Memory, is_plausible) {
  const std::uint64_t before = resident_bytes();
  EXPECT_GT(before, 1U << 20);
  EXPECT_GE(peak_resident_bytes(), before);
  EXPECT_GT(available_bytes(), 1U << 20);
  const std::vector<char> touched(std::size_t{64} << 20, 'x');
  EXPECT_EQ(touched.back(), 'x');
  EXPECT_GT(resident_bytes(), before + (std::uint64_t{32} << 20));
}

// A file tree like /sys/fs/cgroup.
class ControlGroups : public testing::Test {
 protected:
  ~ControlGroups() override { std::filesystem::remove_all(mount_); }
  void put(const std::filesystem::path& file, const std::string& content) {
    std::filesystem::create_directories((mount_ / file).parent_path());
    std::ofstream(mount_ / file) << content;
  }
  std::uint64_t room() { return cgroup_room(mount_ / "membership", mount_); }

  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
  std::filesystem::path mount_ =
      std::filesystem::temp_directory_path() / ("qzo_memory_test_" + std::to_string(::getpid()));
};

TEST_F(ControlGroups, version_2_takes_the_tightest_group_and_does_not_count_cached_files) {
  put("membership", "0::/slice/unit\n");
  EXPECT_EQ(room(), kNoLimit);
  put("slice/unit/memory.max", "max\n");
  put("slice/unit/memory.current", "500\n");
  EXPECT_EQ(room(), kNoLimit);
  put("slice/memory.max", "1000\n");
  put("slice/memory.current", "900\n");
  EXPECT_EQ(room(), 100U);
  put("slice/memory.stat", "anon 100\ninactive_file 600\nactive_file 50\nslab 5\n");
  EXPECT_EQ(room(), 750U);
  put("slice/unit/memory.max", "510\n");
  EXPECT_EQ(room(), 10U);
  put("slice/unit/memory.current", "600\n");
  EXPECT_EQ(room(), 0U) << "over the limit is no room, not a huge number";
}

TEST_F(ControlGroups, version_1_and_limits_at_the_mount_itself) {
  // Inside a container the path of the group is often that of the host and absent here.
  put("membership", "5:cpu,cpuacct:/host/path\n4:memory:/host/path\n0::/\n");
  put("memory/memory.limit_in_bytes", "4096\n");
  put("memory/memory.usage_in_bytes", "1096\n");
  put("memory/memory.stat", "cache 7\ninactive_file 7\ntotal_inactive_file 80\ntotal_active_file 16\n");
  EXPECT_EQ(room(), 3096U);
}

TEST_F(ControlGroups, nonsense_is_no_limit) {
  EXPECT_EQ(room(), kNoLimit);
  put("membership", "what\n1:memory\n\n");
  put("memory/memory.limit_in_bytes", "1\n");
  EXPECT_EQ(room(), kNoLimit);
}

}  // namespace
}  // namespace qzo::core
