#pragma once
// Plain weights: STEM.weight [out, in] in F32, F16 or BF16, row-major. No scales, hence nothing to train.

#include <memory>

#include "qzo/quant/format.h"

namespace qzo::quant {

std::unique_ptr<Format> make_dense_format();

}  // namespace qzo::quant
