#pragma once
// compressed-tensors, format "pack-quantized", W4A16 and W8A16 (compressors/pack_quantized). Not transposed:
//
//   STEM.weight_packed      I32 [out, in*b/32]            b-bit codes along the input, low first
//   STEM.weight_scale       F16, BF16 or F32 [out, groups]  one group: strategy "channel"
//   STEM.weight_zero_point  I32 [ceil(out*b/32), groups]  asymmetric only; packed along the outputs
//   STEM.weight_g_idx       I32 [in]                      activation ordering "group" only; all -1: k / group
//   STEM.weight_shape       I64 or I32 [2]                out, in
//
//   W[n, k] = weight_scale[n, g] * (q[n, k] - zero[n, g]), g = g_idx[k] or k / (in / groups)
//
// Codes and zero points are stored plus 2^(b-1), the zero point of the symmetric ones. Bits are told by the shape of
// weight_packed and groups by that of weight_scale, since one checkpoint may have several schemes.

#include <memory>

#include "qzo/quant/format.h"

namespace qzo::quant {

std::unique_ptr<Format> make_compressed_tensors_format();

}  // namespace qzo::quant
