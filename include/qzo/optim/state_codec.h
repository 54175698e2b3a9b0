#pragma once
// A state of an optimizer that owns its memory: codes and scales, or plain fp32. Codecs and their sizes:
// qzo/kernels/optim_state.h.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "qzo/core/dtype.h"
#include "qzo/core/zeroed_array.h"
#include "qzo/kernels/optim_state.h"

namespace qzo::optim {

inline constexpr kernels::StateCodec kPlain{};
// The published 4-bit first moment and second moments, and the 8-bit ones of bitsandbytes.
inline constexpr kernels::StateCodec kSigned4{4, kernels::StateTable::kDeSigned, kernels::StateNorm::kBlock, 128};
inline constexpr kernels::StateCodec kRank1Linear4{4, kernels::StateTable::kLinearUnsigned, kernels::StateNorm::kRank1,
                                                   128};
inline constexpr kernels::StateCodec kBlockLinear4{4, kernels::StateTable::kLinearUnsigned, kernels::StateNorm::kBlock,
                                                   128};
inline constexpr kernels::StateCodec kSigned8{8, kernels::StateTable::kDeSigned, kernels::StateNorm::kBlock, 256};
inline constexpr kernels::StateCodec kUnsigned8{8, kernels::StateTable::kDeUnsigned, kernels::StateNorm::kBlock, 256};

// "4 bits, de_signed, blocks of 128": what a state file says of a state.
std::string codec_text(const kernels::StateCodec& codec);

// One array of a state as it stands in a file.
struct StatePart {
  std::string suffix;  // "", ".codes", ".scale", ".stat0", ...
  core::Dtype dtype;   // kU8 or kF32
  std::vector<std::int64_t> shape;
  std::span<std::byte> bytes;  // into the state
};

class StateTensor {
 public:
  // All zero: scale 0 everywhere; memory is taken by the first step. `key` names it among the states of its parameter
  // ("exp_avg").
  StateTensor(std::string key, const kernels::StateCodec& codec, std::vector<std::int64_t> shape,
              kernels::StateRounding rounding = kernels::StateRounding::kNearest);

  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const kernels::StateCodec& codec() const { return codec_; }
  [[nodiscard]] kernels::StateView view();
  [[nodiscard]] float* values() { return values_.data(); }  // plain fp32 only
  [[nodiscard]] std::int64_t bytes() const;                 // of its arrays as they are allocated
  [[nodiscard]] std::vector<StatePart> parts();

 private:
  std::string key_;
  kernels::StateCodec codec_;
  std::vector<std::int64_t> shape_;
  kernels::StateRounding rounding_;
  core::ZeroedArray<std::uint8_t> codes_;
  core::ZeroedArray<float> scales_, values_;
};

}  // namespace qzo::optim
