#include <span>

#include "qzo/core/check.h"
#include "qzo/quant/packed_weight.h"

#include "quant/chunks.h"

namespace qzo::quant {
namespace {

using Index = std::size_t;

bool has_tied_minimum(const PackedWeight& weight) {
  return !weight.minimum.empty() && weight.minimum_rule == MinimumRule::kTied;
}

// Tied: s * (m/d), and m itself where the group is constant. Fixed: the minima as they are.
const float* offsets_for(const PackedWeight& weight, const float* scales, std::vector<float>& buffer) {
  if (weight.minimum.empty()) return nullptr;
  if (!has_tied_minimum(weight)) return weight.minimum.data();
  buffer.resize(weight.minimum.size());
  for_chunks(static_cast<std::int64_t>(buffer.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<Index>(begin); i < static_cast<Index>(end); ++i)
      buffer[i] = scales[i] * weight.minimum[i];
  });
  for (const std::int64_t group : weight.constant_groups)
    buffer[static_cast<Index>(group)] = weight.minimum[static_cast<Index>(group)];
  return buffer.data();
}

// Constant groups get their own scale (0) back.
kernels::ScaleView perturbed_view(const PackedWeight& weight, std::vector<float>& scales, std::vector<float>& offsets) {
  for (const std::int64_t group : weight.constant_groups)
    scales[static_cast<Index>(group)] = weight.scales[static_cast<Index>(group)];
  return {.scales = scales.data(), .offsets = offsets_for(weight, scales.data(), offsets)};
}

EffectiveScales perturbed(const PackedWeight& weight, const kernels::Probe& probe, ScaleBuffers& buffers) {
  const bool wants_plus = probe.signs != kernels::Signs::kMinus;
  const bool wants_minus = probe.signs != kernels::Signs::kPlus;
  if (wants_plus) buffers.plus.resize(weight.scales.size());
  if (wants_minus) buffers.minus.resize(weight.scales.size());
  kernels::perturb(weight.scales, probe, weight.tensor_id, wants_plus ? buffers.plus.data() : nullptr,
                   wants_minus ? buffers.minus.data() : nullptr);
  EffectiveScales result;
  if (wants_plus) result.plus = perturbed_view(weight, buffers.plus, buffers.plus_offsets);
  if (wants_minus) result.minus = perturbed_view(weight, buffers.minus, buffers.minus_offsets);
  // A walk with one sign reads `plus`, whatever the sign.
  if (!wants_plus) result.plus = result.minus;
  if (!wants_minus) result.minus = result.plus;
  return result;
}

EffectiveScales rounded(const PackedWeight& weight, ScaleBuffers& buffers) {
  const bool with_minimum = !weight.minimum.empty();
  buffers.plus.resize(weight.scales.size());
  if (with_minimum) buffers.plus_offsets.resize(weight.scales.size());
  for_chunks(static_cast<std::int64_t>(weight.scales.size()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const ExportedGroup group = exported_group(weight, i);
      buffers.plus[static_cast<Index>(i)] = group.scale;
      if (with_minimum) buffers.plus_offsets[static_cast<Index>(i)] = group.minimum;
    }
  });
  const kernels::ScaleView view{.scales = buffers.plus.data(),
                                .offsets = with_minimum ? buffers.plus_offsets.data() : nullptr};
  return {.plus = view, .minus = view};
}

// One value for each group of the kernel, times the group's integer: one rounding.
const float* spread(const PackedWeight& weight, const float* masters, const std::vector<std::int8_t>& parts,
                    std::vector<float>& groups) {
  if (masters == nullptr) return nullptr;
  const std::int64_t count = weight.codes.out * (weight.codes.in / weight.codes.group);
  groups.resize(static_cast<Index>(count));
  for_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float part = parts.empty() ? 1.0F : static_cast<float>(parts[static_cast<Index>(i)]);
      groups[static_cast<Index>(i)] = masters[i / weight.groups_per_master] * part;
    }
  });
  return groups.data();
}

EffectiveScales of_groups(const PackedWeight& weight, const EffectiveScales& masters, ScaleBuffers& buffers) {
  if (weight.groups_per_master == 1) return masters;
  EffectiveScales result;
  result.plus = {.scales = spread(weight, masters.plus.scales, weight.part_scales, buffers.plus_groups),
                 .offsets = spread(weight, masters.plus.offsets, weight.part_minimums, buffers.plus_group_offsets)};
  result.minus = result.plus;
  if (masters.minus.scales == masters.plus.scales) return result;
  result.minus = {.scales = spread(weight, masters.minus.scales, weight.part_scales, buffers.minus_groups),
                  .offsets = spread(weight, masters.minus.offsets, weight.part_minimums, buffers.minus_group_offsets)};
  return result;
}

EffectiveScales of_masters(const PackedWeight& weight, const ScaleMode& mode, ScaleBuffers& buffers) {
  if (mode.rounded) return rounded(weight, buffers);
  if (mode.probe != nullptr && weight.trainable) return perturbed(weight, *mode.probe, buffers);
  const float* masters = weight.scales.data();
  const kernels::ScaleView view{.scales = masters, .offsets = offsets_for(weight, masters, buffers.plus_offsets)};
  return {.plus = view, .minus = view};
}

}  // namespace

EffectiveScales effective_scales(const PackedWeight& weight, const ScaleMode& mode, ScaleBuffers& buffers) {
  if (!weight.quantized()) return {};
  QZO_CHECK(mode.probe == nullptr || !mode.rounded, "a probe of rounded scales was asked for");
  return of_groups(weight, of_masters(weight, mode, buffers), buffers);
}

}  // namespace qzo::quant
