#include "cpu/optim_adamw.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "qzo/core/check.h"
#include "qzo/kernels/optim_step.h"

#include "cpu/optim_nibbles.h"
#include "cpu/optim_rank1.h"

namespace qzo::kernels {
namespace {

// Maxima of the new second moment: a pass of its own, since an element's code needs those of its whole row and column.
void raise_scales(const AdamwTensor& tensor, const AdamwChunk& rule, const Piece& piece, float* raised) {
  if (has_linear_nibbles(tensor.v) && has_whole_rows(tensor.v)) {
    raise_nibbles(tensor.parameter, tensor.v, rule, piece, raised);
    return;
  }
  Rank1Raise raise(tensor.v.shape, raised, piece.first, piece.count);
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(tensor.parameter, first, count);
    StateChunk v(tensor.v, first, count);
    v.load();
    AdamwChunk chunk = rule;
    chunk.g = g.data();
    chunk.v = v.data();
    chunk.count = count;
    active_optim().second_moment(chunk);
    raise.add(first, count, v.data());
  });
  raise.finish();
}

void update(const AdamwTensor& tensor, const AdamwChunk& rule, const Piece& piece, const StepRounding& rounding,
            const RaisedScales& raised) {
  const bool rank1 = is_rank1(tensor.v);
  Piece rest = piece;
  if (has_signed_nibbles(tensor.m) && has_linear_nibbles(tensor.v) &&
      (!rank1 || (raised.usable && has_whole_rows(tensor.v)))) {
    const std::int64_t whole = piece.count / kNibbleBlock * kNibbleBlock;
    adamw_nibbles(tensor.parameter, tensor.m, tensor.v, rule, {piece.tensor, piece.first, whole}, rounding,
                  rank1 ? &raised : nullptr);
    rest.first += whole;
    rest.count -= whole;
  }
  for_each_chunk(rest, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(tensor.parameter, first, count);
    WeightChunk theta(tensor.parameter, first, count);
    StateChunk m(tensor.m, first, count), v(tensor.v, first, count);
    m.load();
    v.load();
    AdamwChunk chunk = rule;
    chunk.theta = theta.data();
    chunk.g = g.data();
    chunk.m = m.data();
    chunk.v = v.data();
    chunk.count = count;
    active_optim().adamw(chunk);
    theta.write_back(rounding);
    m.encode(nullptr, rounding.key, tensor.parameter.id, RoundingPurpose::kFirstMoment);
    v.encode(rank1 ? raised.scales.data() : nullptr, rounding.key, tensor.parameter.id, RoundingPurpose::kSecondMoment);
  });
}

}  // namespace

AdamwChunk adamw_constants(const AdamwRule& rule, double decay, double step, double root) {
  AdamwChunk chunk;
  chunk.beta1 = static_cast<float>(rule.beta1);
  chunk.rest1 = static_cast<float>(1 - rule.beta1);
  chunk.beta2 = static_cast<float>(rule.beta2);
  chunk.rest2 = static_cast<float>(1 - rule.beta2);
  chunk.decay = static_cast<float>(decay);
  chunk.step = static_cast<float>(step);
  chunk.root = static_cast<float>(root);
  chunk.eps = static_cast<float>(rule.eps);
  return chunk;
}

namespace {

void step_together(std::span<const AdamwTensor> tensors, const AdamwRule& rule, const StepRounding& rounding) {
  std::vector<AdamwChunk> constants;
  std::vector<RaisedScales> raised(tensors.size());
  std::vector<Piece> pieces, rank1_pieces;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const AdamwTensor& tensor = tensors[i];
    QZO_CHECK(!is_rank1(tensor.m), "the first moment has blocks");
    constants.push_back(adamw_constants(rule, tensor.decay, tensor.step, tensor.root));
    add_pieces(i, tensor.parameter.count, pieces);
    if (!is_rank1(tensor.v)) continue;
    raised[i].scales.resize(static_cast<std::size_t>(state_layout(tensor.v.codec, tensor.v.shape).scales));
    add_pieces(i, tensor.parameter.count, rank1_pieces);
  }
  for_each_piece(rank1_pieces, [&](std::size_t, const Piece& piece) {
    raise_scales(tensors[piece.tensor], constants[piece.tensor], piece, raised[piece.tensor].scales.data());
  });
  for (RaisedScales& scales : raised) scales.set_factors();
  for_each_piece(pieces, [&](std::size_t, const Piece& piece) {
    update(tensors[piece.tensor], constants[piece.tensor], piece, rounding, raised[piece.tensor]);
  });
  for (std::size_t i = 0; i < tensors.size(); ++i)
    std::copy(raised[i].scales.begin(), raised[i].scales.end(), tensors[i].v.scales);
}

// Elements of tensors that go together if there are two passes: what the first one read is in L3 for the second.
constexpr std::int64_t kTogether = std::int64_t{1} << 22;

}  // namespace

void adamw_step(std::span<const AdamwTensor> tensors, const AdamwRule& rule, const StepRounding& rounding) {
  const bool two_passes = std::ranges::any_of(tensors, [](const AdamwTensor& tensor) { return is_rank1(tensor.v); });
  for (std::size_t first = 0; first < tensors.size();) {
    std::size_t end = two_passes ? first : tensors.size();
    for (std::int64_t elements = 0; end < tensors.size() && (end == first || elements < kTogether); ++end)
      elements += tensors[end].parameter.count;
    step_together(tensors.subspan(first, end - first), rule, rounding);
    first = end;
  }
}

bool gradients_finite(std::span<const ParameterView> parameters) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const core::Dtype dtype = parameters[i].gradient_dtype;
    QZO_CHECK(dtype == core::Dtype::kF32 || dtype == core::Dtype::kBF16, core::dtype_info(dtype).name);
    add_pieces(i, parameters[i].count, pieces);
  }
  std::atomic<bool> finite{true};
  for_each_piece(pieces, [&](std::size_t, const Piece& piece) {
    const ParameterView& parameter = parameters[piece.tensor];
    const bool good =
        parameter.gradient_dtype == core::Dtype::kF32
            ? active_optim().finite(static_cast<const float*>(parameter.gradient) + piece.first, piece.count)
            : active_optim().finite_bfloat16(static_cast<const std::uint16_t*>(parameter.gradient) + piece.first,
                                             piece.count);
    if (!good) finite.store(false, std::memory_order_relaxed);
  });
  return finite.load();
}

}  // namespace qzo::kernels
