#include "cpu/optim_nibbles.h"

#include <algorithm>

#include "cpu/optim_rank1.h"

namespace qzo::kernels {
namespace {

bool is_nibbles(const StateView& state, StateTable table) {
  return state.codec.bits == 4 && state.codec.table == table && state.rounding == StateRounding::kNearest &&
         (is_rank1(state) || state.codec.block == kNibbleBlock);
}

}  // namespace

bool has_signed_nibbles(const StateView& m) { return is_nibbles(m, StateTable::kDeSigned) && !is_rank1(m); }
bool has_linear_nibbles(const StateView& v) { return is_nibbles(v, StateTable::kLinearUnsigned); }

void RaisedScales::set_factors() {
  factors.resize(scales.size());
  usable = true;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    factors[i] = 16.0F / scales[i];
    usable = usable && (scales[i] == 0 || has_reciprocal(scales[i]));
  }
}

void adamw_nibbles(const ParameterView& parameter, const StateView& m, const StateView& v, const AdamwChunk& rule,
                   const Piece& piece, const StepRounding& rounding, const RaisedScales* raised) {
  const auto step = [&](std::int64_t first, std::int64_t count, float* theta, const float* g) {
    AdamwChunk chunk = rule;
    chunk.theta = theta;
    chunk.g = g;
    chunk.count = count;
    NibbleChunk moments{code_chunk(m, first, count), code_chunk(v, first, count), nullptr, nullptr};
    if (raised == nullptr) {
      active_optim().adamw_nibbles(chunk, moments);
      return;
    }
    alignas(64) ChunkFloats before, after, factors;
    rank1_scales(v.shape, v.scales, first, count, before.data());
    rank1_scales(v.shape, raised->scales.data(), first, count, after.data());
    rank1_reciprocals(v.shape, raised->factors.data(), first, count, factors.data());
    moments.v.scales = before.data();
    moments.raised = after.data();
    moments.factors = factors.data();
    active_optim().adamw_nibbles(chunk, moments);
  };
  const bool in_place = parameter.dtype == core::Dtype::kF32 && parameter.gradient_dtype == core::Dtype::kF32;
  if (in_place && raised == nullptr) {
    step(piece.first, piece.count, static_cast<float*>(parameter.values) + piece.first,
         static_cast<const float*>(parameter.gradient) + piece.first);
    return;
  }
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(parameter, first, count);
    WeightChunk theta(parameter, first, count);
    step(first, count, theta.data(), g.data());
    theta.write_back(rounding);
  });
}

}  // namespace qzo::kernels
