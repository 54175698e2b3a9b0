#include <algorithm>
#include <cmath>
#include <vector>

#include "qzo/core/check.h"
#include "qzo/kernels/optim_step.h"

#include "cpu/optim_chunk.h"
#include "cpu/optim_factored.h"

namespace qzo::kernels {
namespace {

// What one tensor needs in both passes; filled as the step proceeds.
struct Plan {
  const AdafactorTensor* tensor = nullptr;
  OuterFactors factors;
  double scaled_lr = 0;
  float scale = 0;  // of the direction: lr over what clipping divides by
  float decay = 1;
};

struct SquareSums {
  double direction = 0, theta = 0;
};

OuterFactors factors_of(const FactoredView& view, const AdafactorSettings& settings) {
  OuterFactors factors;
  const std::vector<float> means = row_means(view);
  const bool transformers = settings.rule == AdafactorRule::kTransformers;
  for (std::int64_t row = 0; row < view.batch * view.rows; ++row) {
    const float mean = means[static_cast<std::size_t>(row / view.rows)];
    factors.row.push_back(transformers ? 1.0F / std::sqrt(view.row[row] / mean)
                                       : view.row[row] / std::max(mean, static_cast<float>(settings.epsilon)));
  }
  for (std::int64_t column = 0; column < view.batch * view.columns; ++column)
    factors.column.push_back(transformers ? 1.0F / std::sqrt(view.column[column]) : view.column[column]);
  return factors;
}

// u = g / sqrt(v) into `u`. `advance`: the second moment of a tensor that is not factored takes this step's gradient.
void direction(const Plan& plan, const AdafactorSettings& settings, const float* g, std::int64_t first,
               std::int64_t count, bool advance, ChunkFloats& u) {
  const AdafactorTensor& tensor = *plan.tensor;
  const auto n = static_cast<std::size_t>(count);
  const bool transformers = settings.rule == AdafactorRule::kTransformers;
  if (tensor.factored) {
    outer_product(tensor.factors, plan.factors, first, count, u.data());
    if (transformers) {  // the factors are inverse roots already
      for (std::size_t i = 0; i < n; ++i) u[i] *= g[i];
      return;
    }
  } else {
    float* v = tensor.second + first;
    const auto keep = static_cast<float>(tensor.keep), gain = static_cast<float>(1 - tensor.keep);
    const float offset = transformers ? static_cast<float>(settings.square_offset) : 0.0F;
    for (std::size_t i = 0; advance && i < n; ++i) v[i] = keep * v[i] + gain * (g[i] * g[i] + offset);
    std::copy_n(v, n, u.begin());
  }
  if (!transformers) {
    const auto floor = static_cast<float>(settings.epsilon * settings.epsilon);
    for (std::size_t i = 0; i < n; ++i) u[i] = u[i] > floor ? u[i] : floor;
  }
  for (std::size_t i = 0; i < n; ++i) u[i] = __builtin_sqrtf(u[i]);
  for (std::size_t i = 0; i < n; ++i) u[i] = g[i] / u[i];
}

SquareSums measure(const Plan& plan, const AdafactorSettings& settings, const Piece& piece) {
  SquareSums sums;
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(plan.tensor->parameter, first, count);
    WeightChunk theta(plan.tensor->parameter, first, count);
    ChunkFloats u;
    direction(plan, settings, g.data(), first, count, true, u);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto a = static_cast<double>(u[static_cast<std::size_t>(i)]), b = static_cast<double>(theta.data()[i]);
      sums.direction += a * a;
      sums.theta += b * b;
    }
  });
  return sums;
}

void finish_plan(Plan& plan, const AdafactorSettings& settings, const SquareSums& sums) {
  const AdafactorTensor& tensor = *plan.tensor;
  const auto count = static_cast<double>(tensor.parameter.count);
  plan.scaled_lr = tensor.lr;
  if (settings.scale_by_rms) plan.scaled_lr *= std::max(settings.least_rms, std::sqrt(sums.theta / count));
  const double rms = std::sqrt(sums.direction / count);
  plan.scale = static_cast<float>(plan.scaled_lr / std::max(1.0, rms / settings.clip));
  const double lr = settings.rule == AdafactorRule::kTransformers ? plan.scaled_lr : tensor.decay_lr;
  plan.decay = static_cast<float>(1 - lr * tensor.weight_decay);
}

void apply(const Plan& plan, const AdafactorSettings& settings, const Piece& piece, const StepRounding& rounding) {
  const AdafactorTensor& tensor = *plan.tensor;
  const auto beta1 = static_cast<float>(settings.beta1), rest1 = static_cast<float>(1 - settings.beta1);
  for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
    const GradientChunk g(tensor.parameter, first, count);
    WeightChunk theta(tensor.parameter, first, count);
    ChunkFloats u;
    direction(plan, settings, g.data(), first, count, false, u);
    const auto n = static_cast<std::size_t>(count);
    for (std::size_t i = 0; i < n; ++i) u[i] *= plan.scale;
    if (tensor.average != nullptr) {
      float* average = tensor.average + first;
      for (std::size_t i = 0; i < n; ++i) average[i] = beta1 * average[i] + rest1 * u[i];
      std::copy_n(average, n, u.begin());
    }
    for (std::size_t i = 0; i < n; ++i) theta.data()[i] = theta.data()[i] * plan.decay - u[i];
    theta.write_back(rounding);
  });
}

}  // namespace

void adafactor_step(std::span<const AdafactorTensor> tensors, const AdafactorSettings& settings,
                    const StepRounding& rounding) {
  std::vector<FactoredMoment> moments;
  std::vector<Plan> plans(tensors.size());
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const AdafactorTensor& tensor = tensors[i];
    QZO_CHECK(tensor.factored != (tensor.second != nullptr) || tensor.parameter.count == 0);
    plans[i].tensor = &tensor;
    add_pieces(i, tensor.parameter.count, pieces);
    const bool transformers = settings.rule == AdafactorRule::kTransformers;
    if (tensor.factored)
      moments.push_back({&tensor.parameter, tensor.factors,
                         transformers ? static_cast<float>(settings.square_offset) : 0.0F, tensor.keep});
  }
  update_factored(moments);
  for (Plan& plan : plans)
    if (plan.tensor->factored) plan.factors = factors_of(plan.tensor->factors, settings);
  std::vector<SquareSums> measured(pieces.size());
  for_each_piece(
      pieces, [&](std::size_t i, const Piece& piece) { measured[i] = measure(plans[piece.tensor], settings, piece); });
  std::vector<SquareSums> sums(tensors.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    sums[pieces[i].tensor].direction += measured[i].direction;
    sums[pieces[i].tensor].theta += measured[i].theta;
  }
  for (std::size_t i = 0; i < plans.size(); ++i) finish_plan(plans[i], settings, sums[i]);
  for_each_piece(pieces,
                 [&](std::size_t, const Piece& piece) { apply(plans[piece.tensor], settings, piece, rounding); });
}

}  // namespace qzo::kernels
