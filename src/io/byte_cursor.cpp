#include "io/byte_cursor.h"

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::io {

void ByteCursor::fail(const std::string& problem) const {
  throw core::UserError(core::text(file_, ": ", what_, ' ', problem));
}

void ByteCursor::fail_short(std::uint64_t count, std::uint64_t element_bytes) const {
  fail(core::text("needs ", count, element_bytes == 1 ? " bytes" : " entries of at least ",
                  element_bytes == 1 ? std::string() : core::text(element_bytes, " bytes"), " at byte ", position_,
                  ", but only ", remaining(), " bytes follow; the file is cut off or damaged, fetch it again"));
}

}  // namespace qzo::io
