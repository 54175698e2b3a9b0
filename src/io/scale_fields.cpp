#include "io/scale_fields.h"

#include "qzo/core/check.h"

#include "io/extent.h"

namespace qzo::io {

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
