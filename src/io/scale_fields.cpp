#include "io/scale_fields.h"

#include <algorithm>
#include <cstring>

#include "qzo/core/check.h"

#include "io/extent.h"

namespace qzo::io {

void patch_piece(std::span<std::byte> piece, std::uint64_t begin, const FieldWrite& write) {
  const ScaleField& field = write.field;
  const std::uint64_t end = begin + piece.size();
  const auto count = static_cast<std::uint64_t>(field.count);
  for (std::uint64_t i = first_value_after(field, begin); i < count; ++i) {
    const std::uint64_t position = field.offset + i * field.stride;
    if (position >= end) break;
    // A value may straddle two pieces.
    const std::uint64_t from = std::max(position, begin);
    const std::uint64_t to = std::min(position + field.width, end);
    std::memcpy(piece.data() + (from - begin), write.values.data() + i * field.width + (from - position), to - from);
  }
}

void check_field(const ScaleField& field, const TensorSource& tensors) {
  QZO_CHECK(field.file < tensors.files().size(), "file ", field.file, " of ", tensors.files().size());
  QZO_CHECK(field.count >= 0 && field.width > 0 && field.stride >= field.width, "tensor ", field.tensor, ": count ",
            field.count, ", width ", field.width, ", stride ", field.stride);
  const auto span = checked_product(static_cast<std::uint64_t>(field.count), field.stride);
  const auto end = span ? checked_sum(field.offset, *span) : std::nullopt;
  const std::uint64_t size = tensors.files()[field.file].bytes().size();
  QZO_CHECK(end && field_end(field) <= size, "tensor ", field.tensor, ": field at ", field.offset, " passes the ", size,
            " bytes of its file");
}

}  // namespace qzo::io
