#pragma once
// AQLM (aqlm inference.py, utils.py): every 8 inputs of an output are a sum of codebook vectors.
//
//   STEM.codes      I8 or I16 [out, in/8, books]     an index modulo 2^bits; stored signed
//   STEM.codebooks  F16 [books, 2^bits, 1, 8]
//   STEM.scales     F16, BF16 or F32 [out, 1, 1, 1]
//
//   W[n, 8i .. 8i+7] = scales[n] * sum_c codebooks[c, codes[n, i, c] mod 2^bits]
//
// "1x16" is one book of 16 bits, "2x8" two of 8. I8 up to 8 bits, I16 above. The master is the scale of an output;
// codebooks stay.

#include <memory>

#include "qzo/quant/format.h"

namespace qzo::quant {

std::unique_ptr<Format> make_aqlm_format();

}  // namespace qzo::quant
