#include <cmath>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/quant/packed_weight.h"

#include "quant/scale_value.h"

namespace qzo::quant {
namespace {

float file_scale(const PackedWeight& weight, std::int64_t index) {
  return read_scale(weight.scale_dtype,
                    weight.file_scales + static_cast<std::uint64_t>(index) * weight.scale_field.stride);
}

float file_minimum(const PackedWeight& weight, std::int64_t index) {
  return read_scale(weight.scale_dtype,
                    weight.file_minimum + static_cast<std::uint64_t>(index) * weight.minimum_field->stride);
}

void count_change(core::Dtype dtype, float before, float after, RoundingCount& count) {
  if (after == before) return;
  const float normal = smallest_normal(dtype);
  if (after == 0) {
    ++count.became_zero;
  } else if (std::fabs(after) < normal && !(std::fabs(before) < normal)) {
    ++count.became_subnormal;
  }
  if (before != 0 && after != 0 && std::signbit(before) != std::signbit(after)) ++count.changed_sign;
}

void check_range(const PackedWeight& weight, std::int64_t index, const ExportedGroup& group) {
  if (std::isfinite(group.scale) && std::isfinite(group.minimum)) return;
  throw core::GuardError(core::text("scale ", index, " of ", weight.name, " is ",
                                    weight.scales[static_cast<std::size_t>(index)], ", beyond the range of ",
                                    core::dtype_info(weight.scale_dtype).name,
                                    " in the checkpoint: the run has diverged, lower train.lr or zo.clip"));
}

io::FieldWrite empty_write(const io::ScaleField& field) {
  return {.field = field, .values = std::vector<std::byte>(static_cast<std::size_t>(field.count) * field.width)};
}

}  // namespace

ExportedGroup exported_group(const PackedWeight& weight, std::int64_t index) {
  const auto i = static_cast<std::size_t>(index);
  const float master = weight.scales[i];
  ExportedGroup group{.scale = round_scale(weight.scale_dtype, master)};
  if (weight.minimum.empty()) return group;
  if (!weight.minimum_field) {  // HQQ: the file has the zero point itself
    group.minimum = group.scale * weight.minimum[i];
    return group;
  }
  if (weight.minimum_rule == MinimumRule::kFixed || group.scale == file_scale(weight, index)) {
    group.minimum = file_minimum(weight, index);
  } else {
    group.minimum = round_scale(weight.scale_dtype, master * weight.minimum[i]);
  }
  return group;
}

std::vector<io::FieldWrite> scale_writes(const PackedWeight& weight, RoundingCount* count) {
  if (!weight.quantized() || weight.nested) return {};
  QZO_CHECK(weight.scale_field.count == static_cast<std::int64_t>(weight.scales.size()), weight.name, ": ",
            weight.scale_field.count, " values in the file, ", weight.scales.size(), " masters");
  std::vector<io::FieldWrite> writes;
  writes.push_back(empty_write(weight.scale_field));
  if (weight.minimum_field) writes.push_back(empty_write(*weight.minimum_field));
  const std::uint32_t width = weight.scale_field.width;
  for (std::int64_t i = 0; i < weight.scale_field.count; ++i) {
    const ExportedGroup group = exported_group(weight, i);
    check_range(weight, i, group);
    if (count != nullptr) count_change(weight.scale_dtype, file_scale(weight, i), group.scale, *count);
    const std::size_t at = static_cast<std::size_t>(i) * width;
    write_scale(weight.scale_dtype, group.scale, writes[0].values.data() + at);
    if (weight.minimum_field) write_scale(weight.scale_dtype, group.minimum, writes[1].values.data() + at);
  }
  return writes;
}

}  // namespace qzo::quant
