#include "qzo/core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace qzo::core {

namespace {

std::function<void(LogLevel, const std::string&)>& capture() {
  static std::function<void(LogLevel, const std::string&)> sink;
  return sink;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = spdlog::stderr_color_mt("qzo");
    // Plain sentences for information, the level in front of everything else.
    made->set_pattern("%v");
    return made;
  }();
  return *instance;
}

void emit(LogLevel level, spdlog::level::level_enum to, const char* prefix, const std::string& message) {
  if (capture()) {
    capture()(level, message);
    return;
  }
  logger().log(to, "{}{}", prefix, message);
}

}  // namespace

void log_debug(const std::string& message) { emit(LogLevel::kDebug, spdlog::level::debug, "debug: ", message); }
void log_info(const std::string& message) { emit(LogLevel::kInfo, spdlog::level::info, "", message); }
void log_warning(const std::string& message) { emit(LogLevel::kWarning, spdlog::level::warn, "warning: ", message); }
void log_error(const std::string& message) { emit(LogLevel::kError, spdlog::level::err, "error: ", message); }

void set_log_level(LogLevel lowest_shown) {
  switch (lowest_shown) {
    case LogLevel::kDebug:
      logger().set_level(spdlog::level::debug);
      break;
    case LogLevel::kInfo:
      logger().set_level(spdlog::level::info);
      break;
    case LogLevel::kWarning:
      logger().set_level(spdlog::level::warn);
      break;
    case LogLevel::kError:
      logger().set_level(spdlog::level::err);
      break;
  }
}

LogCapture::LogCapture(std::function<void(LogLevel, const std::string&)> sink) { capture() = std::move(sink); }
LogCapture::~LogCapture() { capture() = nullptr; }

}  // namespace qzo::core
