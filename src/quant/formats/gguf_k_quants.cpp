#include "qzo/quant/formats/gguf_k_quants.h"

#include <array>
#include <cstring>

#include "qzo/core/check.h"

#include "quant/chunks.h"
#include "quant/gguf_block_format.h"

namespace qzo::quant {
namespace {

using Index = std::size_t;

constexpr std::uint64_t kSixBitScales = 4;
constexpr std::uint64_t kByteScales = 192;  // Q6_K

constexpr std::array<GgufBlockType, 3> kTypes = {{
    {core::Dtype::kQ4_K, "q4_k", kernels::Layout::kQ4_K, 256, 32, 0, "dmin"},
    {core::Dtype::kQ5_K, "q5_k", kernels::Layout::kQ5_K, 256, 32, 0, "dmin"},
    {core::Dtype::kQ6_K, "q6_k", kernels::Layout::kQ6_K, 256, 16, 208, ""},
}};

// The eight scales and minima of twelve bytes; minima negated, since they are subtracted.
void unpack_six_bits(const std::byte* packed, std::int8_t* scales, std::int8_t* minimums) {
  std::array<unsigned, 12> s;
  for (Index i = 0; i < s.size(); ++i) s[i] = std::to_integer<unsigned>(packed[i]);
  for (Index j = 0; j < 8; ++j) {
    const unsigned scale = j < 4 ? s[j] & 63U : (s[j + 4] & 15U) | s[j - 4] >> 6 << 4;
    const unsigned minimum = j < 4 ? s[j + 4] & 63U : s[j + 4] >> 4 | s[j] >> 6 << 4;
    scales[j] = static_cast<std::int8_t>(scale);
    minimums[j] = static_cast<std::int8_t>(-static_cast<int>(minimum));
  }
}

class GgufKQuantFormat final : public GgufBlockFormat {
 public:
  using GgufBlockFormat::GgufBlockFormat;

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request,
                    const LoadOptions& options) const override {
    PackedWeight weight = GgufBlockFormat::load(checkpoint, request, options);
    load_parts(weight);
    return weight;
  }

 private:
  void load_parts(PackedWeight& weight) const {
    const auto blocks = static_cast<std::int64_t>(weight.scales.size());
    const auto parts = static_cast<Index>(weight.groups_per_master);
    const auto block_bytes = static_cast<Index>(core::dtype_info(type_.dtype).block_bytes);
    weight.part_scales.resize(weight.scales.size() * parts);
    if (has_minimum()) weight.part_minimums.resize(weight.part_scales.size());
    for_chunks(blocks, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<Index>(begin); i < static_cast<Index>(end); ++i) {
        const std::byte* block = weight.codes.codes + i * block_bytes;
        std::int8_t* scales = weight.part_scales.data() + i * parts;
        if (has_minimum())
          unpack_six_bits(block + kSixBitScales, scales, weight.part_minimums.data() + i * parts);
        else
          std::memcpy(scales, block + kByteScales, parts);
      }
    });
  }
};

}  // namespace

std::unique_ptr<Format> make_gguf_k_quant_format(core::Dtype dtype) {
  for (const GgufBlockType& type : kTypes) {
    if (type.dtype == dtype) return std::make_unique<GgufKQuantFormat>(type);
  }
  QZO_CHECK(false, "no K-quant format for ", core::dtype_info(dtype).name);
}

}  // namespace qzo::quant
