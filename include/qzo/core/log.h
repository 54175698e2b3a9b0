#pragma once
// Messages for people, on stderr. The only user of spdlog is src/core/log.cpp (its fmt clashes with torch's headers).

#include <functional>
#include <string>

namespace qzo::core {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

void log_debug(const std::string& message);
void log_info(const std::string& message);
void log_warning(const std::string& message);
void log_error(const std::string& message);
void set_log_level(LogLevel lowest_shown);

// While alive, messages go to `sink` instead of stderr (tests). Not thread-safe against other captures.
class LogCapture {
 public:
  explicit LogCapture(std::function<void(LogLevel, const std::string&)> sink);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
};

}  // namespace qzo::core
