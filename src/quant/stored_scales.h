#pragma once
// What the formats of Hugging Face folders share: scales in a tensor of their own, groups of inputs, zero points.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "qzo/quant/format.h"

namespace qzo::quant {

// Every value of a tensor of F16, BF16 or F32 as a scale field.
io::ScaleField field_of(const io::TensorEntry& entry);

// Masters, their place in the file and their dtype. UserError naming the first one that is NaN or infinite.
void set_scales(const io::Checkpoint& checkpoint, const io::TensorEntry& scales, PackedWeight& weight);

// Floats of a tensor, all finite; UserError naming the first that is not.
std::vector<float> finite_floats(const io::Checkpoint& checkpoint, const io::TensorEntry& entry);

// The field of `entry` if it is STEM + `ending`, of a float type, and STEM is a weight of `format`.
std::vector<io::ScaleField> fields_of(const Format& format, const io::Checkpoint& checkpoint,
                                      const io::TensorEntry& entry, std::string_view ending);

// Group of each input, from an I32 tensor. Empty if it is k / group throughout. UserError for an index without a group
// and for a group without inputs.
std::vector<std::int32_t> read_group_index(const io::Checkpoint& checkpoint, const io::TensorEntry& index,
                                           std::int64_t groups, std::int64_t group);

// Sets weight.codes.zeros, or .zero where all zero points are equal (symmetric quantization): no need to keep one for
// every group, and cheaper to multiply. `zeros` [groups, out].
void set_zeros(std::vector<std::uint8_t> zeros, PackedWeight& weight);

// Integer i of a little-endian stream of `bits`-bit integers (at most 8).
std::vector<std::uint8_t> unpack_integers(std::span<const std::byte> bytes, std::int64_t bits, std::int64_t count);

}  // namespace qzo::quant
