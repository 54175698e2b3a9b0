#pragma once
// GGUF blocks of 32 weights with their own scale (ggml-common.h: block_q4_0, ..., block_q8_0). STEM.weight [out, in], a
// row is in/32 blocks, rows lie end to end. d, m: f16, little-endian; d may be negative.
//
//           bytes 0  1   2  3   4 ...                                   weight i of the block
//   Q4_0   18     [ d  ][ 16 bytes of nibbles               ]           d * (q - 8)
//   Q4_1   20     [ d  ][ m  ][ 16 bytes of nibbles         ]           d * q + m
//   Q5_0   22     [ d  ][ 4 bytes, bits ][ 16 of nibbles    ]           d * (q - 16)
//   Q5_1   24     [ d  ][ m  ][ 4 bytes, bits ][ 16 of nibbles ]        d * q + m
//   Q8_0   34     [ d  ][ 32 signed bytes                   ]           d * q
//
//   nibbles: byte j holds weight j (low four bits) and weight j + 16 (high four bits)
//   bits: bit j of the 32 is the fifth bit of weight j
//
// Q4_1 and Q5_1 under the tied rule: zero point -m/d fixed, so m follows d. A block with d = 0 is constant (w = m), has
// no zero point and stays as it is.

#include <memory>

#include "qzo/core/dtype.h"
#include "qzo/quant/format.h"

namespace qzo::quant {

// dtype: kQ4_0, kQ4_1, kQ5_0, kQ5_1 or kQ8_0.
std::unique_ptr<Format> make_gguf_block_format(core::Dtype dtype);

}  // namespace qzo::quant
