#include "qzo/quant/formats/gguf_blocks.h"

#include <array>

#include "qzo/core/check.h"

#include "quant/gguf_block_format.h"

namespace qzo::quant {
namespace {

constexpr std::array<GgufBlockType, 5> kTypes = {{
    {core::Dtype::kQ4_0, "q4_0", kernels::Layout::kQ4_0, 32, 32, 0, ""},
    {core::Dtype::kQ4_1, "q4_1", kernels::Layout::kQ4_1, 32, 32, 0, "m"},
    {core::Dtype::kQ5_0, "q5_0", kernels::Layout::kQ5_0, 32, 32, 0, ""},
    {core::Dtype::kQ5_1, "q5_1", kernels::Layout::kQ5_1, 32, 32, 0, "m"},
    {core::Dtype::kQ8_0, "q8_0", kernels::Layout::kQ8_0, 32, 32, 0, ""},
}};

}  // namespace

std::unique_ptr<Format> make_gguf_block_format(core::Dtype dtype) {
  for (const GgufBlockType& type : kTypes) {
    if (type.dtype == dtype) return std::make_unique<GgufBlockFormat>(type);
  }
  QZO_CHECK(false, "no block format for ", core::dtype_info(dtype).name);
}

}  // namespace qzo::quant
