#include "cpu/lanes_portable.h"
#include "cpu/late_int8_body.h"

namespace qzo::kernels {
namespace {

constexpr unsigned kWidth = 16;

std::int32_t dot4(std::uint32_t codes, const std::byte* x) {
  std::int32_t sum = 0;
  for (int i = 0; i < 4; ++i) {
    const auto activation = static_cast<std::int8_t>(x[i]);
    sum += static_cast<std::int32_t>(codes >> (8 * i) & 255U) * activation;
  }
  return sum;
}

// The definition of kInt8 (scale_late.h), one row at a time.
void multiply(const LateTile& tile) {
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    const std::byte* x = tile.x + row * tile.row_bytes;
    float* y = tile.y + row * tile.ldy;
    float sum[kWidth] = {};
    if (tile.from != nullptr)
      for (std::int64_t n = 0; n < tile.columns; ++n) sum[n] = tile.from[row * tile.from_stride + n];
    const auto* panel = static_cast<const std::uint32_t*>(tile.panel);
    std::int64_t k = 0;
    for (std::int64_t c = 0; c < tile.chunks; ++c) {
      std::int32_t part[kWidth] = {};
      for (const std::int64_t end = k + tile.length[c]; k < end; k += 4, panel += kWidth)
        for (unsigned n = 0; n < kWidth; ++n) part[n] += dot4(panel[n], x + tile.activations + k);
      const std::int32_t shift = tile.constant_shift ? read<std::int32_t>(x + tile.sums + c * 4) : 0;
      const float scale = read<float>(x + tile.scales + c * 4);
      for (unsigned n = 0; n < kWidth; ++n)
        sum[n] = std::fma(static_cast<float>(part[n] + shift), scale * tile.weight_scales[c * kWidth + n], sum[n]);
      if (tile.weight_offsets == nullptr) continue;
      const auto total = read<float>(x + tile.sums + c * 4);
      for (unsigned n = 0; n < kWidth; ++n) sum[n] = std::fma(total, tile.weight_offsets[c * kWidth + n], sum[n]);
    }
    for (std::int64_t n = 0; n < tile.columns; ++n) y[n] = sum[n] + (tile.bias != nullptr ? tile.bias[n] : 0.0F);
  }
}

}  // namespace

const LateKernel& late_int8_portable() {
  static constexpr LateKernel kKernel{kWidth,   1, 1, false, &prepare_int8<PortableLanes>, &unpack_words<kWidth>,
                                      &multiply};
  return kKernel;
}

}  // namespace qzo::kernels
