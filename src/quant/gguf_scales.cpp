#include "quant/gguf_scales.h"

#include <cmath>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "quant/chunks.h"
#include "quant/scale_value.h"

namespace qzo::quant {
namespace {

// Value i of a field that begins at `first`.
std::vector<float> read_halves(const std::byte* first, std::uint64_t stride, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      values[static_cast<std::size_t>(i)] =
          read_scale(core::Dtype::kF16, first + static_cast<std::uint64_t>(i) * stride);
    }
  });
  return values;
}

void check_finite(const std::vector<float>& values, const char* letter, const std::string& tensor) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw core::UserError(core::text(tensor, ": ", letter, " of block ", i, " is ", values[i],
                                     ", expected a finite number: the file is damaged or was badly quantized"));
  }
}

}  // namespace

io::ScaleField block_field(const io::TensorEntry& entry, std::uint64_t offset) {
  io::ScaleField field;
  field.tensor = entry.name;
  field.file = entry.file;
  field.offset = entry.offset + offset;
  field.stride = static_cast<std::uint64_t>(core::dtype_info(entry.dtype).block_bytes);
  field.count = static_cast<std::int64_t>(entry.bytes.size() / field.stride);
  field.width = 2;
  return field;
}

void load_block_scales(const io::TensorEntry& entry, std::uint64_t offset, const std::string& tensor,
                       PackedWeight& weight) {
  weight.signed_scales = true;
  weight.scale_dtype = core::Dtype::kF16;
  weight.scale_field = block_field(entry, offset);
  weight.file_scales = entry.bytes.data() + offset;
  weight.scales = read_halves(weight.file_scales, weight.scale_field.stride, weight.scale_field.count);
  check_finite(weight.scales, "d", tensor);
}

void load_block_minima(const io::TensorEntry& entry, std::uint64_t offset, const char* letter, MinimumRule rule,
                       const std::string& tensor, PackedWeight& weight) {
  weight.minimum_rule = rule;
  weight.minimum_field = block_field(entry, offset);
  weight.file_minimum = entry.bytes.data() + offset;
  weight.minimum = read_halves(weight.file_minimum, weight.minimum_field->stride, weight.minimum_field->count);
  check_finite(weight.minimum, letter, tensor);
  if (rule == MinimumRule::kFixed) return;
  for (std::size_t i = 0; i < weight.minimum.size(); ++i) {
    if (weight.scales[i] == 0) {
      weight.constant_groups.push_back(static_cast<std::int64_t>(i));
    } else {
      weight.minimum[i] /= weight.scales[i];  // at most 65504 / 2^-24: no overflow in fp32
    }
  }
}

}  // namespace qzo::quant
