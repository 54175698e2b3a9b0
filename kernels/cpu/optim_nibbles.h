#pragma once
// AdamW on 4-bit moments in one pass: the published codecs, rounded to nearest, whole blocks of 128. Everything else
// goes the general way (optim_chunk.h), which gives the same bits.

#include <vector>

#include "cpu/optim_chunk.h"
#include "cpu/optim_factored.h"

namespace qzo::kernels {

bool has_signed_nibbles(const StateView& m);
bool has_linear_nibbles(const StateView& v);

// Scales of a rank-1 second moment after this step.
struct RaisedScales {
  std::vector<float> scales, factors;  // as StateView::scales; 16 / scale
  bool usable = false;                 // the factors: no scale is too small or too large
  void set_factors();
};

// Whether the rows of a rank-1 second moment are whole blocks; others go the general way.
bool has_whole_rows(const StateView& v);

// Raises the scales to the second moments of a piece of this step, which are not kept; whole rows of linear nibbles.
void raise_nibbles(const ParameterView& parameter, const StateView& v, const AdamwChunk& rule, const Piece& piece,
                   float* raised);

// Elements [piece.first, ...), of whole blocks, the first one at a multiple of kOptimChunk. `raised` is null for
// blocks.
void adamw_nibbles(const ParameterView& parameter, const StateView& m, const StateView& v, const AdamwChunk& rule,
                   const Piece& piece, const StepRounding& rounding, const RaisedScales* raised);

// The same with second moments row * column; columns are whole blocks.
void factor_nibbles(const ParameterView& parameter, const StateView& m, const FactoredView& v,
                    const OuterFactors& factors, const AdamwChunk& rule, const Piece& piece,
                    const StepRounding& rounding);

}  // namespace qzo::kernels
