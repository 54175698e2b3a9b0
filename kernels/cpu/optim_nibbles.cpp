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

bool has_whole_rows(const StateView& v) { return v.shape.back() % kNibbleBlock == 0; }

namespace {

// body(first, count, theta, g) for stretches of a piece: all of it where weights and gradients are fp32, chunks
// otherwise; with `row` above 0 none goes past the end of a row.
template <class Body>
void for_each_stretch(const ParameterView& parameter, const Piece& piece, std::int64_t row,
                      const StepRounding* rounding, const Body& body) {
  const auto in_rows = [&](std::int64_t first, std::int64_t count, float* theta, const float* g) {
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t length = row == 0 ? count : std::min(count - done, row - (first + done) % row);
      body(first + done, length, theta == nullptr ? nullptr : theta + done, g + done);
      done += length;
    }
  };
  if (parameter.dtype == core::Dtype::kF32 && parameter.gradient_dtype == core::Dtype::kF32) {
    in_rows(piece.first, piece.count, static_cast<float*>(parameter.values) + piece.first,
            static_cast<const float*>(parameter.gradient) + piece.first);
    return;
  }
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(parameter, first, count);
    if (rounding == nullptr) {
      in_rows(first, count, nullptr, g.data());
      return;
    }
    WeightChunk theta(parameter, first, count);
    in_rows(first, count, theta.data(), g.data());
    theta.write_back(*rounding);
  });
}

}  // namespace

void raise_nibbles(const ParameterView& parameter, const StateView& v, const AdamwChunk& rule, const Piece& piece,
                   float* raised) {
  Rank1Raise raise(v.shape, raised, piece.first, piece.count);
  const std::int64_t row = v.shape.back();
  const float* last = v.scales + rank1_last_axis(v.shape);
  RaiseChunk chunk;
  chunk.book = &code_book(v.codec.table, v.codec.bits);
  chunk.beta2 = rule.beta2;
  chunk.rest2 = rule.rest2;
  // A stretch ends with its row and where the collected maxima wrap around.
  for_each_stretch(parameter, piece, row, nullptr, [&](std::int64_t first, std::int64_t count, float*, const float* g) {
    chunk.row_scale = rank1_least(v.shape, v.scales, first / row);
    for (std::int64_t done = 0; done < count;) {
      chunk.count = std::min(count - done, row - (first + done - piece.first) % row);
      chunk.codes = v.codes + (first + done) / 2;
      chunk.g = g + done;
      chunk.scales = last + (first + done) % row;
      raise.add_row(first, active_optim().raise_nibbles(chunk, raise.last(first + done)));
      done += chunk.count;
    }
  });
  raise.finish();
}

void adamw_nibbles(const ParameterView& parameter, const StateView& m, const StateView& v, const AdamwChunk& rule,
                   const Piece& piece, const StepRounding& rounding, const RaisedScales* raised) {
  const std::int64_t row = raised == nullptr ? 0 : v.shape.back();
  for_each_stretch(parameter, piece, row, &rounding,
                   [&](std::int64_t first, std::int64_t count, float* theta, const float* g) {
                     AdamwChunk chunk = rule;
                     chunk.theta = theta;
                     chunk.g = g;
                     chunk.count = count;
                     NibbleChunk moments;
                     moments.m = code_chunk(m, first, count);
                     moments.v = code_chunk(v, first, count);
                     if (raised != nullptr) {
                       const std::int64_t last = rank1_last_axis(v.shape) + first % row;
                       moments.v.scales = v.scales + last;
                       moments.raised = raised->scales.data() + last;
                       moments.factors = raised->factors.data() + last;
                       moments.row_scale = rank1_least(v.shape, v.scales, first / row);
                       moments.row_raised = rank1_least(v.shape, raised->scales.data(), first / row);
                       moments.row_factor = rank1_most(v.shape, raised->factors.data(), first / row);
                     }
                     active_optim().adamw_nibbles(chunk, moments);
                   });
}

}  // namespace qzo::kernels
