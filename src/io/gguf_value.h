#pragma once
#include "qzo/io/gguf.h"

#include "io/byte_cursor.h"

namespace qzo::io {

// The value of one metadata pair, its u32 type in front. UserError for unknown types, arrays of arrays, integers in
// arrays beyond i64, booleans other than 0 and 1, and anything that the rest of the file cannot hold.
GgufValue read_gguf_value(ByteCursor& in);

}  // namespace qzo::io
