#include <vector>

#include "qzo/core/check.h"
#include "qzo/kernels/optim_step.h"

#include "cpu/optim_chunk.h"
#include "cpu/optim_rank1.h"

namespace qzo::kernels {
namespace {

void update(const SgdTensor& tensor, const SgdChunk& rule, const Piece& piece, const StepRounding& rounding) {
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(tensor.parameter, first, count);
    WeightChunk theta(tensor.parameter, first, count);
    SgdChunk chunk = rule;
    chunk.theta = theta.data();
    chunk.g = g.data();
    chunk.count = count;
    if (rule.momentum == 0) {
      active_optim().sgd(chunk);
      theta.write_back(rounding);
      return;
    }
    StateChunk m(tensor.m, first, count);
    m.load();
    chunk.m = m.data();
    active_optim().sgd(chunk);
    theta.write_back(rounding);
    m.encode(nullptr, rounding.key, tensor.parameter.id, RoundingPurpose::kFirstMoment);
  });
}

}  // namespace

void sgd_step(std::span<const SgdTensor> tensors, const SgdRule& rule, const StepRounding& rounding) {
  std::vector<SgdChunk> constants;
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const SgdTensor& tensor = tensors[i];
    QZO_CHECK(!is_rank1(tensor.m), "the momentum has blocks");
    SgdChunk chunk;
    chunk.lr = static_cast<float>(tensor.lr);
    chunk.weight_decay = static_cast<float>(tensor.weight_decay);
    chunk.momentum = static_cast<float>(rule.momentum);
    chunk.rest = static_cast<float>(1 - rule.dampening);
    chunk.first = tensor.first;
    chunk.nesterov = rule.nesterov;
    constants.push_back(chunk);
    add_pieces(i, tensor.parameter.count, pieces);
  }
  for_each_piece(pieces, [&](std::size_t, const Piece& piece) {
    update(tensors[piece.tensor], constants[piece.tensor], piece, rounding);
  });
}

}  // namespace qzo::kernels
