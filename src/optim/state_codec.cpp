#include "qzo/optim/state_codec.h"

#include "qzo/core/text.h"

namespace qzo::optim {
namespace {

using core::text;
using kernels::StateTable;

const char* table_name(StateTable table) {
  switch (table) {
    case StateTable::kDeSigned:
      return "de_signed";
    case StateTable::kDeUnsigned:
      return "de_unsigned";
    case StateTable::kDeUnsignedNo0:
      return "de0_unsigned";
    case StateTable::kLinearUnsigned:
      return "linear_nozero";
    case StateTable::kPower2Unsigned:
      return "power2_nozero";
  }
  return "unknown";
}

std::span<std::byte> bytes_of(float* first, std::int64_t count) {
  return std::as_writable_bytes(std::span(first, static_cast<std::size_t>(count)));
}

}  // namespace

std::string codec_text(const kernels::StateCodec& codec) {
  if (codec.bits == 32) return "fp32";
  const std::string table = text(codec.bits, " bits, ", table_name(codec.table));
  return codec.norm == kernels::StateNorm::kRank1
             ? text(table, ", rank-1 (blocks of ", codec.block, " in one dimension)")
             : text(table, ", blocks of ", codec.block);
}

StateTensor::StateTensor(std::string key, const kernels::StateCodec& codec, std::vector<std::int64_t> shape,
                         kernels::StateRounding rounding)
    : key_(std::move(key)), codec_(codec), shape_(std::move(shape)), rounding_(rounding) {
  const kernels::StateLayout layout = kernels::state_layout(codec_, shape_);
  codes_ = core::ZeroedArray<std::uint8_t>(static_cast<std::size_t>(layout.code_bytes));
  scales_ = core::ZeroedArray<float>(static_cast<std::size_t>(layout.scales));
  values_ = core::ZeroedArray<float>(static_cast<std::size_t>(layout.values));
}

kernels::StateView StateTensor::view() {
  return {codec_, shape_, codes_.data(), scales_.data(), values_.data(), rounding_};
}

std::int64_t StateTensor::bytes() const {
  return static_cast<std::int64_t>(codes_.bytes() + scales_.bytes() + values_.bytes());
}

std::vector<StatePart> StateTensor::parts() {
  const kernels::StateLayout layout = kernels::state_layout(codec_, shape_);
  if (codec_.bits == 32) return {{"", core::Dtype::kF32, shape_, bytes_of(values_.data(), layout.values)}};
  std::vector<StatePart> parts = {{".codes",
                                   core::Dtype::kU8,
                                   {layout.code_bytes},
                                   std::as_writable_bytes(std::span(codes_.data(), codes_.size()))}};
  if (layout.axis_scales.empty()) {
    parts.push_back({".scale", core::Dtype::kF32, {layout.scales}, bytes_of(scales_.data(), layout.scales)});
    return parts;
  }
  float* first = scales_.data();
  for (std::size_t axis = 0; axis < layout.axis_scales.size(); ++axis) {
    const std::int64_t count = layout.axis_scales[axis];
    parts.push_back({text(".stat", axis), core::Dtype::kF32, {count}, bytes_of(first, count)});
    first += count;
  }
  return parts;
}

}  // namespace qzo::optim
