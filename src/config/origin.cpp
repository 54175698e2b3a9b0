#include "config/origin.h"

#include <charconv>

#include "qzo/core/text.h"

namespace qzo::config {
namespace {
constexpr const char* kDefaultText = "default";
constexpr const char* kFormatDefaultText = "published for the format";
constexpr const char* kDetectedText = "detected";
constexpr const char* kCommandLineText = "--set";
}  // namespace

std::string origin_text(const LoadedConfig& config, const std::string& key) {
  switch (config.sources.at(key)) {
    case Source::kDefault:
      return kDefaultText;
    case Source::kFormatDefault:
      return kFormatDefaultText;
    case Source::kDetected:
      return kDetectedText;
    case Source::kCommandLine:
      return kCommandLineText;
    case Source::kFile:
      break;
  }
  const auto line = config.lines.find(key);
  const std::string file = config.file.filename().string();
  return line == config.lines.end() ? file : core::text(file, ":", line->second);
}

Origin origin_from_text(const std::string& text) {
  if (text == kDefaultText) return {Source::kDefault, {}, 0};
  if (text == kFormatDefaultText) return {Source::kFormatDefault, {}, 0};
  if (text == kDetectedText) return {Source::kDetected, {}, 0};
  if (text == kCommandLineText) return {Source::kCommandLine, {}, 0};
  Origin origin{Source::kFile, text, 0};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return origin;
  int line = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, line);
  if (error == std::errc() && stop == end && line > 0) origin = {Source::kFile, text.substr(0, colon), line};
  return origin;
}

}  // namespace qzo::config
