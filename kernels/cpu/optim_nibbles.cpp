#include "cpu/optim_nibbles.h"

#include <algorithm>
#include <optional>

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

// body(first, count, g) for stretches of a piece: all of it where gradients are fp32, chunks otherwise.
template <class Body>
void for_each_gradient(const ParameterView& parameter, const Piece& piece, const Body& body) {
  if (parameter.gradient_dtype == core::Dtype::kF32) {
    body(piece.first, piece.count, static_cast<const float*>(parameter.gradient) + piece.first);
    return;
  }
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(parameter, first, count);
    body(first, count, g.data());
  });
}

// One pass over a piece: all of it at once where weights and gradients are fp32, in chunks otherwise. `complete` fills
// in what the second moments of `count` elements from `first` on need.
template <class Complete>
void step_piece(const ParameterView& parameter, const StateView& m, const AdamwChunk& rule, const Piece& piece,
                const StepRounding& rounding, const Complete& complete) {
  const auto stretch = [&](std::int64_t first, std::int64_t count, float* theta, const float* g) {
    AdamwChunk chunk = rule;
    chunk.theta = theta;
    chunk.g = g;
    chunk.count = count;
    NibbleChunk moments;
    moments.m = code_chunk(m, first, count);
    complete(first, count, moments);
    active_optim().adamw_nibbles(chunk, moments);
  };
  if (parameter.dtype == core::Dtype::kF32 && parameter.gradient_dtype == core::Dtype::kF32) {
    stretch(piece.first, piece.count, static_cast<float*>(parameter.values) + piece.first,
            static_cast<const float*>(parameter.gradient) + piece.first);
    return;
  }
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(parameter, first, count);
    WeightChunk theta(parameter, first, count);
    stretch(first, count, theta.data(), g.data());
    theta.write_back(rounding);
  });
}

// The place of element `first` among rows of `row` elements.
void set_rows(std::int64_t first, std::int64_t row, NibbleChunk& moments) {
  moments.row_blocks = row / kNibbleBlock;
  moments.block = first % row / kNibbleBlock;
}

// What a rank-1 moment has for each row of a piece, which is chosen from its leading axes.
class RowMargins {
 public:
  RowMargins(const StateView& v, const RaisedScales& raised, const Piece& piece)
      : row_(v.shape.back()), first_(piece.first / row_) {
    for (std::int64_t row = first_; row * row_ < piece.first + piece.count; ++row) {
      before_.push_back(rank1_least(v.shape, v.scales, row));
      raised_.push_back(rank1_least(v.shape, raised.scales.data(), row));
      factors_.push_back(rank1_most(v.shape, raised.factors.data(), row));
    }
  }
  void complete(const StateView& v, const RaisedScales& raised, std::int64_t first, NibbleChunk& moments) const {
    const auto row = first / row_ - first_;
    const std::int64_t last = rank1_last_axis(v.shape);
    moments.second = SecondMoment::kRank1;
    set_rows(first, row_, moments);
    moments.before = {v.scales + last, before_.data() + row};
    moments.raised = {raised.scales.data() + last, raised_.data() + row};
    moments.factors = {raised.factors.data() + last, factors_.data() + row};
  }

 private:
  std::int64_t row_, first_;
  std::vector<float> before_, raised_, factors_;
};

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
  for_each_gradient(parameter, piece, [&](std::int64_t first, std::int64_t count, const float* g) {
    for (std::int64_t done = 0; done < count; done += chunk.count) {
      const std::int64_t element = first + done;
      // Up to the end of the row, or to where the collected maxima wrap around.
      chunk.count = std::min({count - done, row - element % row, row - (element - piece.first) % row});
      chunk.row_scale = rank1_least(v.shape, v.scales, element / row);
      chunk.codes = v.codes + element / 2;
      chunk.g = g + done;
      chunk.scales = last + element % row;
      raise.add_row(element, active_optim().raise_nibbles(chunk, raise.last(element)));
    }
  });
  raise.finish();
}

void adamw_nibbles(const ParameterView& parameter, const StateView& m, const StateView& v, const AdamwChunk& rule,
                   const Piece& piece, const StepRounding& rounding, const RaisedScales* raised) {
  std::optional<RowMargins> margins;
  if (raised != nullptr) margins.emplace(v, *raised, piece);
  step_piece(parameter, m, rule, piece, rounding, [&](std::int64_t first, std::int64_t count, NibbleChunk& moments) {
    moments.v = code_chunk(v, first, count);
    if (margins) margins->complete(v, *raised, first, moments);
  });
}

void factor_nibbles(const ParameterView& parameter, const StateView& m, const FactoredView& v,
                    const OuterFactors& factors, const AdamwChunk& rule, const Piece& piece,
                    const StepRounding& rounding) {
  const std::int64_t matrix = v.rows * v.columns;
  for (std::int64_t done = 0; done < piece.count;) {
    Piece part = piece;
    part.first += done;
    part.count = std::min(piece.count - done, matrix - part.first % matrix);  // columns change with the matrix
    step_piece(parameter, m, rule, part, rounding, [&](std::int64_t first, std::int64_t, NibbleChunk& moments) {
      moments.second = SecondMoment::kFactored;
      set_rows(first, v.columns, moments);
      moments.before = {factors.column.data() + first / matrix * v.columns, factors.row.data() + first / v.columns};
    });
    done += part.count;
  }
}

}  // namespace qzo::kernels
