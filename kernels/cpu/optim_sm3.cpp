#include <algorithm>
#include <optional>
#include <vector>

#include "qzo/kernels/optim_step.h"

#include "cpu/optim_chunk.h"
#include "cpu/optim_rank1.h"

namespace qzo::kernels {
namespace {

struct Constants {
  float momentum, rest, lr, decay;
};

// `raised`: the new maxima of a tensor of two axes or more; null: mu is one number an element.
void update(const Sm3Tensor& tensor, const Constants& rule, const Piece& piece, const StepRounding& rounding,
            float* raised) {
  std::optional<Rank1Raise> raise;
  if (raised != nullptr) raise.emplace(tensor.shape, raised, piece.first, piece.count);
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk gradient(tensor.parameter, first, count);
    WeightChunk theta(tensor.parameter, first, count);
    const float* g = gradient.data();
    const auto n = static_cast<std::size_t>(count);
    ChunkFloats nu;
    if (raise) {
      rank1_scales(tensor.shape, tensor.mu, first, count, nu.data());
    } else {
      std::copy_n(tensor.mu + first, n, nu.begin());
    }
    for (std::size_t i = 0; i < n; ++i) nu[i] += g[i] * g[i];
    if (raise) {
      raise->add(first, count, nu.data());
    } else {
      std::copy_n(nu.begin(), n, tensor.mu + first);
    }
    for (std::size_t i = 0; i < n; ++i) nu[i] = __builtin_sqrtf(nu[i] + 1e-30F);
    float* m = tensor.momentum + first;
    for (std::size_t i = 0; i < n; ++i) m[i] = rule.momentum * m[i] + rule.rest * (g[i] / nu[i]);
    for (std::size_t i = 0; i < n; ++i) theta.data()[i] = theta.data()[i] * rule.decay - rule.lr * m[i];
    theta.write_back(rounding);
  });
  if (raise) raise->finish();
}

}  // namespace

void sm3_step(std::span<const Sm3Tensor> tensors, double momentum, const StepRounding& rounding) {
  std::vector<std::vector<float>> raised(tensors.size());
  std::vector<Constants> constants;
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Sm3Tensor& tensor = tensors[i];
    constants.push_back({static_cast<float>(momentum), static_cast<float>(1 - momentum), static_cast<float>(tensor.lr),
                         static_cast<float>(1 - tensor.lr * tensor.weight_decay)});
    add_pieces(i, tensor.parameter.count, pieces);
    std::int64_t scales = 0;
    for (const std::int64_t dimension : tensor.shape) scales += dimension;
    if (tensor.shape.size() > 1) raised[i].resize(static_cast<std::size_t>(scales));
  }
  for_each_piece(pieces, [&](std::size_t, const Piece& piece) {
    std::vector<float>& new_mu = raised[piece.tensor];
    update(tensors[piece.tensor], constants[piece.tensor], piece, rounding, new_mu.empty() ? nullptr : new_mu.data());
  });
  for (std::size_t i = 0; i < tensors.size(); ++i) std::copy(raised[i].begin(), raised[i].end(), tensors[i].mu);
}

}  // namespace qzo::kernels
