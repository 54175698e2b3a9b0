#pragma once
// Arithmetic of strided fields in a file.

#include <cstdint>

#include "qzo/io/scale_patch.h"

namespace qzo::io {

// One past the last byte of the field; `offset` if it is empty.
inline std::uint64_t field_end(const ScaleField& field) {
  if (field.count == 0) return field.offset;
  return field.offset + (static_cast<std::uint64_t>(field.count) - 1) * field.stride + field.width;
}

// Whether the byte at `position` of the file belongs to a value of the field.
inline bool field_contains(const ScaleField& field, std::uint64_t position) {
  return position >= field.offset && position < field_end(field) &&
         (position - field.offset) % field.stride < field.width;
}

// Index of the first value that ends after `position`.
inline std::uint64_t first_value_after(const ScaleField& field, std::uint64_t position) {
  if (position < field.offset + field.width) return 0;
  return (position - field.offset - field.width) / field.stride + 1;
}

// Copies the values of `write` that touch bytes [begin, begin + piece.size()) of the file into `piece`.
void patch_piece(std::span<std::byte> piece, std::uint64_t begin, const FieldWrite& write);

// InternalError unless the field lies within its file.
void check_field(const ScaleField& field, const TensorSource& tensors);

}  // namespace qzo::io
