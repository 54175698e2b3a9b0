#include <vector>

#include "qzo/core/check.h"
#include "qzo/kernels/optim_step.h"

#include "cpu/optim_adamw.h"
#include "cpu/optim_factored.h"
#include "cpu/optim_nibbles.h"
#include "cpu/optim_rank1.h"

namespace qzo::kernels {
namespace {

OuterFactors factors_of(const FactoredView& view) {
  OuterFactors factors;
  const std::vector<float> means = row_means(view);
  for (std::int64_t row = 0; row < view.batch * view.rows; ++row) {
    const float mean = means[static_cast<std::size_t>(row / view.rows)];
    factors.row.push_back(mean == 0 ? 0.0F : view.row[row] / mean);
  }
  factors.column.assign(view.column, view.column + view.batch * view.columns);
  return factors;
}

void update(const FactorTensor& tensor, const AdamwChunk& rule, const OuterFactors& factors, const Piece& piece,
            const StepRounding& rounding) {
  if (has_signed_nibbles(tensor.m) && tensor.v.columns % kNibbleBlock == 0) {
    factor_nibbles(tensor.parameter, tensor.m, tensor.v, factors, rule, piece, rounding);
    return;
  }
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(tensor.parameter, first, count);
    WeightChunk theta(tensor.parameter, first, count);
    StateChunk m(tensor.m, first, count);
    m.load();
    alignas(64) ChunkFloats v;
    outer_product(tensor.v, factors, first, count, v.data());
    AdamwChunk chunk = rule;
    chunk.theta = theta.data();
    chunk.g = g.data();
    chunk.m = m.data();
    chunk.v = v.data();
    chunk.count = count;
    chunk.v_given = true;
    active_optim().adamw(chunk);
    theta.write_back(rounding);
    m.encode(nullptr, rounding.key, tensor.parameter.id, RoundingPurpose::kFirstMoment);
  });
}

}  // namespace

void factor_step(std::span<const FactorTensor> tensors, const AdamwRule& rule, const StepRounding& rounding) {
  std::vector<FactoredMoment> moments;
  std::vector<AdamwChunk> constants;
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const FactorTensor& tensor = tensors[i];
    QZO_CHECK(!is_rank1(tensor.m), "the first moment has blocks");
    QZO_CHECK(tensor.v.batch * tensor.v.rows * tensor.v.columns == tensor.parameter.count);
    moments.push_back({&tensor.parameter, tensor.v, 0.0F, rule.beta2});
    constants.push_back(adamw_constants(rule, tensor.decay, tensor.step, tensor.root));
    add_pieces(i, tensor.parameter.count, pieces);
  }
  update_factored(moments);
  std::vector<OuterFactors> factors;
  for (const FactorTensor& tensor : tensors) factors.push_back(factors_of(tensor.v));
  for_each_piece(pieces, [&](std::size_t, const Piece& piece) {
    update(tensors[piece.tensor], constants[piece.tensor], factors[piece.tensor], piece, rounding);
  });
}

}  // namespace qzo::kernels
