#pragma once
// Everything that a variant_<isa>.cpp compiles for its lanes type.

#include "cpu/activation_body.h"
#include "cpu/attention_body.h"
#include "cpu/gemm_body.h"
#include "cpu/rowwise_body.h"
#include "cpu/unpack_body.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

template <class L>
inline constexpr Variant kVariant{&unpack_panel<L>,   &multiply<L>,       &rms_norm_rows<L>,    &layer_norm_rows<L>,
                                  &activate_array<L>, &soft_cap_array<L>, &attention_row_of<L>, &log_sum_exp_of<L>};

}  // namespace
}  // namespace qzo::kernels
