#pragma once
// GGUF K-quants: blocks of 256 weights whose parts have integer scales of their own under one d (ggml-common.h:
// block_q4_K, block_q5_K, block_q6_K). STEM.weight [out, in], a row is in/256 blocks. d, dmin: f16, little-endian.
//
//          bytes  0 1   2 3     4 ...
//   Q4_K  144    [ d ][ dmin ][ 12 bytes S ][ 128 bytes of nibbles               ]
//   Q5_K  176    [ d ][ dmin ][ 12 bytes S ][ 32 bytes, bits ][ 128 of nibbles   ]
//   Q6_K  210    [ 128 bytes, low nibbles ][ 64 bytes, 2-bit parts ][ 16 int8 scales ][ d ]
//
//   Q4_K, Q5_K  part j of 0..7 has 32 weights:  w = d * sc_j * q - dmin * m_j
//     S, 6 bits each   j < 4:  sc = S[j] & 63                              m = S[j+4] & 63
//                      j >= 4: sc = S[j+4] & 15 | S[j-4] >> 6 << 4         m = S[j+4] >> 4 | S[j] >> 6 << 4
//     nibbles          bytes 32i .. 32i+31 hold part 2i (low) and part 2i + 1 (high)
//     bits             bit j of byte l is the fifth bit of weight l of part j
//   Q6_K  part j of 0..15 has 16 weights:  w = d * scales[j] * (q - 32)
//     weight 128h + 32c + l (h 0..1, c 0..3, l 0..31): nibble of byte 64h + l + 32 (c & 1), low for c < 2, high above;
//     bits 5..4 are bits 2c+1..2c of byte 32h + l of the 2-bit parts
//
// Only d (and dmin) are continuous: they are the masters, [out, in/256]. The integers sc, m and scales stay. Under the
// tied rule dmin/d is fixed, so that every part keeps its zero point (dmin m)/(d sc); kFixed leaves dmin alone. A block
// with d = 0 has no zero points and stays as it is.

#include <memory>

#include "qzo/core/dtype.h"
#include "qzo/quant/format.h"

namespace qzo::quant {

// dtype: kQ4_K, kQ5_K or kQ6_K.
std::unique_ptr<Format> make_gguf_k_quant_format(core::Dtype dtype);

}  // namespace qzo::quant
