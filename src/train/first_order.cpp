#include "qzo/train/first_order.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "qzo/core/check.h"
#include "qzo/core/hash.h"
#include "qzo/core/thread_pool.h"
#include "qzo/optim/registry.h"

namespace qzo::train {
namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 16;  // elements whose squares are summed together
constexpr double kNormOffset = 1e-6;                    // torch.nn.utils.clip_grad_norm_

std::int64_t elements(const optim::Parameter& parameter) {
  return std::accumulate(parameter.shape.begin(), parameter.shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t bytes_of(const optim::Parameter& parameter) {
  return elements(parameter) * core::dtype_info(parameter.dtype).block_bytes;
}

// Gradients in pieces that threads share.
struct Piece {
  float* values;
  std::int64_t count;
};

std::vector<Piece> pieces_of(std::span<const optim::ParameterGroup> groups) {
  std::vector<Piece> pieces;
  for (const optim::ParameterGroup& group : groups) {
    for (const optim::Parameter& parameter : group.parameters) {
      QZO_CHECK(parameter.gradient_dtype == core::Dtype::kF32, parameter.name);
      // The problem owns them and lends them for writing (GradientProblem::parameter_groups).
      auto* values = static_cast<float*>(const_cast<void*>(parameter.gradient));
      const std::int64_t count = elements(parameter);
      for (std::int64_t i = 0; i < count; i += kPiece) pieces.push_back({values + i, std::min(kPiece, count - i)});
    }
  }
  return pieces;
}

void scale(std::span<const optim::ParameterGroup> groups, float factor) {
  const std::vector<Piece> pieces = pieces_of(groups);
  core::parallel_for(std::ssize(pieces), [&](std::int64_t i, int) {
    const Piece& piece = pieces[static_cast<std::size_t>(i)];
    for (std::int64_t k = 0; k < piece.count; ++k) piece.values[k] *= factor;
  });
}

}  // namespace

double gradient_norm(std::span<const optim::ParameterGroup> groups) {
  const std::vector<Piece> pieces = pieces_of(groups);
  std::vector<double> sums(pieces.size());
  core::parallel_for(std::ssize(pieces), [&](std::int64_t i, int) {
    const Piece& piece = pieces[static_cast<std::size_t>(i)];
    double sum = 0;
    for (std::int64_t k = 0; k < piece.count; ++k) sum += double{piece.values[k]} * double{piece.values[k]};
    sums[static_cast<std::size_t>(i)] = sum;
  });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

FirstOrder::FirstOrder(GradientProblem& problem, const FirstOrderSettings& settings)
    : problem_(problem),
      settings_(settings),
      groups_(problem.parameter_groups()),
      optimizer_(optim::make_optimizer(settings.optimizer, groups_, settings.states)) {}

JournalHeader FirstOrder::journal_header() {
  core::Xxh3 hash;
  for (const optim::ParameterGroup& group : groups_) {
    for (const optim::Parameter& parameter : group.parameters) {
      // Name, NUL, type, rank, shape: no two lists of parameters give the same bytes.
      const std::int64_t numbers[] = {static_cast<std::int64_t>(parameter.dtype), std::ssize(parameter.shape)};
      hash.update(std::as_bytes(std::span(parameter.name.c_str(), parameter.name.size() + 1)));
      hash.update(std::as_bytes(std::span(numbers)));
      hash.update(std::as_bytes(std::span(parameter.shape)));
    }
  }
  return {.tensor_hash = hash.digest(), .directions = 1, .first_order = true};
}

double FirstOrder::add_gradients(std::span<const std::int64_t> batch) {
  problem_.zero_gradients();
  const std::size_t micro = settings_.micro_batch == 0 ? batch.size() : static_cast<std::size_t>(settings_.micro_batch);
  double loss = 0;
  for (std::size_t first = 0; first < batch.size(); first += micro) {
    const auto part = batch.subspan(first, std::min(micro, batch.size() - first));
    const double share = static_cast<double>(part.size()) / static_cast<double>(batch.size());
    loss += share * problem_.add_gradients(part, share);
  }
  return loss;
}

Method::Step FirstOrder::step(std::uint64_t step, double lr, std::span<const std::int64_t> batch,
                              const std::function<void(std::span<const zo::StepRecord>)>& before_update) {
  const auto begin = std::chrono::steady_clock::now();
  const auto loss = static_cast<float>(add_gradients(batch));
  const double norm = gradient_norm(groups_);
  Step out;
  out.forward_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  zo::StepRecord record;
  record.step = step;
  record.seed = settings_.seed;
  record.lr = static_cast<float>(lr);
  record.loss_plus = loss;
  record.loss_minus = loss;
  // A NaN or an infinity makes the norm one; it is summed in double, where no square of a finite fp32 number overflows,
  // so a norm that only the record's fp32 cannot hold skips nothing: it is recorded as the largest one.
  record.skipped = !std::isfinite(loss) || !std::isfinite(norm);
  record.d_raw =
      static_cast<float>(std::isfinite(norm) ? std::min(norm, double{std::numeric_limits<float>::max()}) : norm);
  const double factor = settings_.max_norm ? *settings_.max_norm / (norm + kNormOffset) : 1;
  record.clipped = !record.skipped && factor < 1;
  if (!record.skipped) record.d_applied = record.clipped ? static_cast<float>(norm * factor) : record.d_raw;
  out.records = {record};
  before_update(out.records);
  if (record.skipped) return out;
  if (record.clipped) scale(groups_, static_cast<float>(factor));
  for (std::size_t group = 0; group < groups_.size(); ++group) optimizer_->set_lr(group, lr);
  optimizer_->step();
  problem_.parameters_changed();
  return out;
}

void FirstOrder::replay(std::span<const zo::StepRecord>) { QZO_CHECK(false, "a first-order step cannot be replayed"); }

CheckpointContent FirstOrder::content() {
  CheckpointContent out;
  out.file = "weights.safetensors";
  for (const optim::ParameterGroup& group : groups_) {
    for (const optim::Parameter& parameter : group.parameters) {
      out.tensors.push_back(
          {.name = parameter.name,
           .dtype = parameter.dtype,
           .shape = parameter.shape,
           .bytes = {static_cast<std::byte*>(parameter.values), static_cast<std::size_t>(bytes_of(parameter))}});
    }
  }
  out.optimizer = optimizer_.get();
  return out;
}

}  // namespace qzo::train
