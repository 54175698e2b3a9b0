#pragma once
// Memory for the results of operations, used again: once every size has been seen, a step allocates nothing.

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace qzo::ops {

// [rows, columns] fp32, contiguous, contents undefined, memory aligned to 64 bytes. It belongs to the caller like any
// other tensor; when neither it nor a view of it is held any longer, the memory is handed out again by this thread.
at::Tensor buffer(std::int64_t rows, std::int64_t columns);
// [bytes] uint8, otherwise the same.
at::Tensor byte_buffer(std::int64_t bytes);

}  // namespace qzo::ops
