#pragma once
// The f16 scales inside GGUF blocks: fields of the file, masters, minima.

#include <cstdint>
#include <string>
#include <vector>

#include "qzo/io/scale_patch.h"
#include "qzo/quant/packed_weight.h"

namespace qzo::quant {

// Half `offset` bytes into every block of a tensor.
io::ScaleField block_field(const io::TensorEntry& entry, std::uint64_t offset);

// Fills scale_field, scales and file_scales. UserError naming `tensor` and the block where one is not finite.
void load_block_scales(const io::TensorEntry& entry, std::uint64_t offset, const std::string& tensor,
                       PackedWeight& weight);

// The same for the minima, which follow `rule` (packed_weight.h); `letter` names them in messages.
void load_block_minima(const io::TensorEntry& entry, std::uint64_t offset, const char* letter, MinimumRule rule,
                       const std::string& tensor, PackedWeight& weight);

}  // namespace qzo::quant
