#include "quant/gguf_block_format.h"

#include <array>
#include <cmath>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "quant/chunks.h"
#include "quant/scale_value.h"

namespace qzo::quant {
namespace {

constexpr std::uint64_t kMinimumOffset = 2;  // of m or dmin in a block

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

// Half `offset` bytes into every block of a tensor.
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

// Fills scale_field, scales and file_scales. UserError naming `tensor` and the block where one is not finite.
void load_block_scales(const io::TensorEntry& entry, std::uint64_t offset, const std::string& tensor,
                       PackedWeight& weight) {
  weight.signed_scales = true;
  weight.scale_dtype = core::Dtype::kF16;
  weight.scale_field = block_field(entry, offset);
  weight.file_scales = entry.bytes.data() + offset;
  weight.scales = read_halves(weight.file_scales, weight.scale_field.stride, weight.scale_field.count);
  check_finite(weight.scales, "d", tensor);
}

// The same for the minima, which follow `rule` (packed_weight.h); `letter` names them in messages.
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

}  // namespace

bool GgufBlockFormat::matches(const io::Checkpoint& checkpoint, const std::string& stem) const {
  const io::TensorEntry* entry = checkpoint.tensors.find(stem + ".weight");
  return entry != nullptr && entry->dtype == type_.dtype;
}

PackedWeight GgufBlockFormat::load(const io::Checkpoint& checkpoint, const WeightRequest& request,
                                   const LoadOptions& options) const {
  const std::array<std::int64_t, 2> shape = {request.out, request.in};
  const io::TensorEntry& entry = checkpoint.tensors.require(request.name + ".weight", {type_.dtype}, shape);
  const std::string tensor = checkpoint.tensors.describe(entry);
  PackedWeight weight;
  weight.name = request.name;
  weight.format = name();
  weight.codes.layout = type_.layout;
  weight.codes.out = request.out;
  weight.codes.in = request.in;
  weight.codes.group = type_.group;
  weight.codes.codes = entry.bytes.data();
  weight.scale_shape = {request.out, request.in / type_.weights};
  weight.groups_per_master = type_.weights / type_.group;
  load_block_scales(entry, type_.d_offset, tensor, weight);
  if (has_minimum())
    load_block_minima(entry, kMinimumOffset, type_.minimum_letter, options.minimum_rule, tensor, weight);
  return weight;
}

std::vector<io::ScaleField> GgufBlockFormat::scale_fields(const io::Checkpoint&, const io::TensorEntry& entry) const {
  if (entry.dtype != type_.dtype) return {};
  std::vector<io::ScaleField> fields = {block_field(entry, type_.d_offset)};
  if (has_minimum()) fields.push_back(block_field(entry, kMinimumOffset));
  return fields;
}

}  // namespace qzo::quant
