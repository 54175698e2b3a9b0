#include "qzo/core/build_info.h"

#include "qzo/core/text.h"

#include "qzo_build_info.h"

namespace qzo::core {

std::string version() { return QZO_VERSION; }
std::string commit() { return QZO_COMMIT; }
std::string build_text() {
  return text("qzo ", QZO_VERSION, " (commit ", QZO_COMMIT, ", ", QZO_COMPILER, ", ", QZO_BUILD_TYPE, ")");
}

}  // namespace qzo::core
