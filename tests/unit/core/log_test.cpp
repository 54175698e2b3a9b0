#include "qzo/core/log.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "qzo/core/build_info.h"

namespace qzo::core {
namespace {

TEST(Log, goes_to_stderr_with_the_level_in_front_and_no_colours) {
  testing::internal::CaptureStderr();
  log_debug("not shown by default");
  log_info("reading model");
  log_warning("zeros are ambiguous {} %s");
  log_error("no such file");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "reading model\nwarning: zeros are ambiguous {} %s\nerror: no such file\n");
}

TEST(Log, level_can_be_changed) {
  testing::internal::CaptureStderr();
  set_log_level(LogLevel::kWarning);
  log_info("hidden");
  log_warning("shown");
  set_log_level(LogLevel::kDebug);
  log_debug("now shown");
  set_log_level(LogLevel::kInfo);
  log_debug("hidden again");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "warning: shown\ndebug: now shown\n");
}

TEST(Log, a_capture_takes_messages_while_it_lives) {
  std::vector<std::pair<LogLevel, std::string>> seen;
  testing::internal::CaptureStderr();
  {
    const LogCapture capture([&](LogLevel level, const std::string& message) { seen.emplace_back(level, message); });
    log_warning("first");
    log_error("second");
  }
  log_error("third");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "error: third\n");
  const std::vector<std::pair<LogLevel, std::string>> expected = {{LogLevel::kWarning, "first"},
                                                                  {LogLevel::kError, "second"}};
  EXPECT_EQ(seen, expected);
}

TEST(BuildInfo, text_names_version_and_commit) {
  EXPECT_FALSE(version().empty());
  EXPECT_FALSE(commit().empty());
  EXPECT_NE(build_text().find(version()), std::string::npos);
  EXPECT_NE(build_text().find(commit()), std::string::npos);
  EXPECT_EQ(build_text().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace qzo::core
