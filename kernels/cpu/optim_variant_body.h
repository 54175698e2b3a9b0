#pragma once
// Everything that an optim_<isa>.cpp compiles for its lanes type.

#include "cpu/optim_body.h"
#include "cpu/optim_nibble_body.h"

namespace qzo::kernels {
namespace {

template <class L>
inline constexpr OptimVariant kOptimVariant{
    &decode_chunk<L>, &encode_chunk<L>,  &adamw_chunk<L>,      &adamw_nibbles<L>, &second_moment_chunk<L>,
    &sgd_chunk<L>,    &raise_nibbles<L>, &bounded_row,         &raise_row,        &scaled_row,
    &add_squares_row, &finite_row,       &finite_bfloat16_row, &widen_row,        &narrow_row};

}  // namespace
}  // namespace qzo::kernels
