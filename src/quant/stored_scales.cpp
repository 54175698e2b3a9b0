#include "quant/stored_scales.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::quant {
namespace {

using core::Dtype;
using Index = std::size_t;

// "qweight[1, 3]" for element 3 of row 1.
std::string element_name(const io::TensorEntry& entry, std::int64_t index) {
  const std::string name = entry.name.substr(entry.name.rfind('.') + 1);
  const std::int64_t row = entry.shape.empty() ? 1 : entry.shape.back();
  return core::text(name, "[", index / row, ", ", index % row, "]");
}

}  // namespace

io::ScaleField field_of(const io::TensorEntry& entry) {
  const auto width = static_cast<std::uint32_t>(core::dtype_info(entry.dtype).block_bytes);
  io::ScaleField field;
  field.tensor = entry.name;
  field.file = entry.file;
  field.offset = entry.offset;
  field.stride = width;
  field.count = static_cast<std::int64_t>(entry.bytes.size() / width);
  field.width = width;
  return field;
}

std::vector<float> finite_floats(const io::Checkpoint& checkpoint, const io::TensorEntry& entry) {
  std::vector<float> values = io::read_floats(entry);
  const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (bad != values.end()) {
    throw core::UserError(core::text(checkpoint.tensors.describe(entry), ": ",
                                     element_name(entry, bad - values.begin()), " is ", *bad,
                                     ", expected a finite number: the file is damaged or was badly quantized"));
  }
  return values;
}

void set_scales(const io::Checkpoint& checkpoint, const io::TensorEntry& scales, PackedWeight& weight) {
  weight.scale_dtype = scales.dtype;
  weight.scale_field = field_of(scales);
  weight.file_scales = scales.bytes.data();
  weight.scales = finite_floats(checkpoint, scales);
}

std::vector<io::ScaleField> fields_of(const Format& format, const io::Checkpoint& checkpoint,
                                      const io::TensorEntry& entry, std::string_view ending) {
  if (!entry.name.ends_with(ending)) return {};
  if (entry.dtype != Dtype::kF16 && entry.dtype != Dtype::kBF16 && entry.dtype != Dtype::kF32) return {};
  if (!format.matches(checkpoint, entry.name.substr(0, entry.name.size() - ending.size()))) return {};
  return {field_of(entry)};
}

std::vector<std::int32_t> read_group_index(const io::Checkpoint& checkpoint, const io::TensorEntry& index,
                                           std::int64_t groups, std::int64_t group) {
  const std::string tensor = checkpoint.tensors.describe(index);
  std::vector<std::int32_t> group_of(index.bytes.size() / sizeof(std::int32_t));
  std::memcpy(group_of.data(), index.bytes.data(), index.bytes.size());
  std::vector<bool> used(static_cast<Index>(groups));
  bool in_order = true;
  for (Index k = 0; k < group_of.size(); ++k) {
    if (group_of[k] < 0 || group_of[k] >= groups) {
      throw core::UserError(core::text(tensor, ": g_idx[", k, "] is ", group_of[k], ", though there ",
                                       groups == 1 ? "is 1 group" : core::text("are ", groups, " groups")));
    }
    used[static_cast<Index>(group_of[k])] = true;
    in_order = in_order && group_of[k] == static_cast<std::int64_t>(k) / group;
  }
  // Writers that leave g_idx unset (all 0) mean k / group; reading it as it stands would give garbage without a sound.
  if (const auto unused = std::ranges::find(used, false); unused != used.end()) {
    throw core::UserError(core::text(tensor, " never names group ", unused - used.begin(), " of ", groups,
                                     ", expected every group to be used: g_idx was not filled in by the writer"));
  }
  if (in_order) group_of.clear();
  return group_of;
}

void set_zeros(std::vector<std::uint8_t> zeros, PackedWeight& weight) {
  const std::uint8_t first = zeros.front();
  weight.owned_zeros = {};
  weight.codes.zero = 0;
  if (std::ranges::all_of(zeros, [first](std::uint8_t zero) { return zero == first; })) {
    weight.codes.zero = first;
  } else {
    weight.owned_zeros = std::move(zeros);
  }
  weight.codes.zeros = weight.owned_zeros.empty() ? nullptr : weight.owned_zeros.data();
}

std::vector<std::uint8_t> unpack_integers(std::span<const std::byte> bytes, std::int64_t bits, std::int64_t count) {
  std::vector<std::uint8_t> values(static_cast<Index>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t bit = i * bits;
    const auto at = static_cast<Index>(bit / 8);
    unsigned two = std::to_integer<unsigned>(bytes[at]);
    if (at + 1 < bytes.size()) two |= std::to_integer<unsigned>(bytes[at + 1]) << 8;
    values[static_cast<Index>(i)] = static_cast<std::uint8_t>((two >> (bit % 8)) & ((1U << bits) - 1));
  }
  return values;
}

}  // namespace qzo::quant
