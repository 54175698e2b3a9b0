#pragma once
// bitsandbytes 4 bit, NF4 and FP4 (bitsandbytes functional.py, QuantState). The matrix is flattened row by row; n =
// out * in weights, blocks of `blocksize` (64) of them share an absmax, whatever row they stand in.
//
//   STEM.weight            U8 [ceil(n/2), 1]     byte i: weight 2i in the high nibble, 2i + 1 in the low one; with
//                                                bnb_4bit_quant_storage the same bytes under another dtype
//   STEM.weight.absmax     F32 [ceil(n/blocksize)]
//   STEM.weight.quant_map  F32 [16]
//   STEM.weight.quant_state.bitsandbytes__nf4 (or __fp4)   U8, JSON: quant_type, blocksize, dtype, shape
//
//   W[i] = quant_map[nibble i] * absmax[i / blocksize]
//
// Nested ("double quantization"): absmax is U8, and absmax[b] = nested_quant_map[absmax[b]] * nested_absmax[b /
// nested_blocksize] + nested_offset, with
//
//   STEM.weight.nested_absmax     F32 [ceil(blocks/nested_blocksize)]
//   STEM.weight.nested_quant_map  F32 [256]
//   and nested_blocksize, nested_dtype, nested_offset in the JSON.
//
// The masters are the absmax in fp32. Steps would be lost in 8 bits, so a nested weight that was trained is exported
// un-nested: absmax as F32, the two nested tensors and the nested keys gone, which bitsandbytes reads as it reads any
// un-nested weight. Where no nested weight is left, config.json's bnb_4bit_use_double_quant becomes false. It is the
// one format whose export changes more than scale bytes.
//
// A block with absmax 0 stays as it is: its weights are 0 whatever their nibbles, which some writers leave at a value
// other than 0's.

#include <memory>

#include "qzo/quant/format.h"

namespace qzo::quant {

std::unique_ptr<Format> make_nf4_format();
std::unique_ptr<Format> make_fp4_format();

}  // namespace qzo::quant
