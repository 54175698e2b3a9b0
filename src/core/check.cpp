#include "qzo/core/check.h"

#include "qzo/core/error.h"

namespace qzo::core {

void check_failed(const char* condition, const char* file, int line, const std::string& details) {
  throw InternalError(
      text("check failed: ", condition, " (", file, ":", line, ")", details.empty() ? "" : ": ", details));
}

}  // namespace qzo::core
