#pragma once
// HQQ, 4 and 8 bit, encoded state dict (hqq core/quantize.py, core/bitpack.py). The matrix, flattened row by row, is
// reshaped to [-1, g] (axis 1: groups along the input) or [g, -1] (axis 0: groups of outputs), g = group_size:
//
//   STEM.W_q    U8   8 bit: one code a byte, in the reshaped matrix' order
//                    4 bit: [half the rows of it]; the high nibbles are its first half, the low ones its second
//   STEM.scale  F16, BF16 or F32   [out*in/g, 1] (axis 1), [1, out*in/g] (axis 0)
//   STEM.zero   the same shape; a fraction, which stays
//   STEM.nbits, .group_size, .axis (I32), .shape (I64 [2]), .packing (U8, text), .quant_scale, .quant_zero,
//   .view_as_float (U8): what each layer is
//
//   W[n, k] = scale[i] * (q[n, k] - zero[i]),  i = n * (in/g) + k/g (axis 1),  (n mod out/g) * in + k (axis 0)
//
// Either way a group is one of the flat matrix whose codes lie in the order of W itself. Axis 0 gives every input a
// scale of its own: its products run in fp32. Scales or zeros that are quantized themselves are not built.

#include <memory>

#include "qzo/quant/format.h"

namespace qzo::quant {

std::unique_ptr<Format> make_hqq_format();

}  // namespace qzo::quant
