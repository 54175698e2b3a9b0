#pragma once
// GPTQ, 2, 3, 4 or 8 bit (AutoGPTQ and GPTQModel; layout: AutoGPTQ qlinear_cuda_old.py). The matrix is stored
// transposed; drawn for 4 bits:
//
//   STEM.qweight I32 [in/8, out]        word (r, n):  bits 31..28 | ... | 7..4    | 3..0
//                                       input row          8r + 7 | ... | 8r + 1  | 8r        of output n
//   STEM.qzeros  I32 [groups, out/8]    word (g, c):  bits 31..28 | ... | 3..0
//                                       output             8c + 7 | ... | 8c      of group g
//   STEM.scales  F16, BF16 or F32 [groups, out]
//   STEM.g_idx   I32 [in]               group of each input row; k / group_size unless desc_act
//   With b bits: qweight [in*b/32, out], qzeros [groups, out*b/32]; the codes of a column (of a row in qzeros) are a
//   stream of bits, low first, so that with 3 bits the 11th and the 22nd of 32 straddle words.
//   groups = ceil(in / group_size), the last one may be short; group_size -1: one group
//
//   W[n, k] = scales[g_idx[k], n] * (q[n, k] - zero[g_idx[k], n])
//
// Stored zeros: "gptq" (v1) holds zero - 1, "gptq_v2" the zero itself. Labels are not always right, so symmetric
// weights are told by the zeros: all 7 is v1, all 8 is v2 (1 and 2 with 2 bits, 3 and 4 with 3, 127 and 128 with 8).
// Asymmetric ones follow the label. v1 zeros are unpacked one by one, plus one modulo 2^b. A true zero of 0 is
// ambiguous in v1: writers that subtract 0x11111111 from whole words borrow from the neighbour, and nothing in the file
// tells whether they did.

#include <memory>

#include "qzo/quant/format.h"

namespace qzo::quant {

std::unique_ptr<Format> make_gptq_format();

}  // namespace qzo::quant
