#pragma once
// A language model of a few lines. A row's hidden state is a function of the tokens it sees, in their order, and of the
// probe's sign; it finds its ancestors itself, so it shares no code with the models. Row by row, in a fixed order.

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <ATen/ops/empty.h>

#include "qzo/models/causal_lm.h"

namespace qzo::objectives::testing {

class ToyModel final : public models::CausalLm {
 public:
  static constexpr std::int64_t kHidden = 6;
  static constexpr std::int64_t kVocabulary = 20;

  struct Call {
    std::int64_t rows = 0, scored = 0, signs = 0;
    bool rounded = false;
    ops::Precision precision = ops::Precision::kFp32;
  };
  std::vector<Call> calls;
  std::int32_t poison = -1;  // a row that sees this token is NaN

  [[nodiscard]] const models::ModelSummary& summary() const override { return summary_; }

  at::Tensor forward(const models::PackedBatch& batch, const models::ForwardContext& context) override {
    const std::int64_t signs = context.signs();
    calls.push_back({batch.rows(), static_cast<std::int64_t>(batch.scored.size()), signs, context.scales.rounded,
                     context.precision});
    const auto scored = static_cast<std::int64_t>(batch.scored.size());
    at::Tensor hidden = at::empty({signs * scored, kHidden}, at::kFloat);
    float* out = hidden.mutable_data_ptr<float>();
    for (std::int64_t sign = 0; sign < signs; ++sign) {
      for (const std::int64_t row : batch.scored) {
        for (const float value : state(visible_tokens(batch, row), shift(context.scales, sign))) *out++ = value;
      }
    }
    return hidden;
  }

  at::Tensor logits(const at::Tensor& hidden, const models::ForwardContext& context) override {
    std::vector<std::int32_t> all;
    for (std::int32_t token = 0; token < kVocabulary; ++token) all.push_back(token);
    return token_logits(hidden, all, context);
  }

  at::Tensor token_logits(const at::Tensor& hidden, std::span<const std::int32_t> tokens,
                          const models::ForwardContext&) override {
    at::Tensor logits = at::empty({hidden.size(0), static_cast<std::int64_t>(tokens.size())}, at::kFloat);
    float* out = logits.mutable_data_ptr<float>();
    for (std::int64_t row = 0; row < hidden.size(0); ++row) {
      for (const std::int32_t token : tokens) *out++ = logit(hidden.const_data_ptr<float>() + row * kHidden, token);
    }
    return logits;
  }

  std::vector<float> log_probabilities(const at::Tensor& hidden, std::span<const std::int32_t> targets,
                                       const models::ForwardContext&) override {
    std::vector<float> out;
    for (std::size_t row = 0; row < targets.size(); ++row) {
      const float* state = hidden.const_data_ptr<float>() + static_cast<std::int64_t>(row) * kHidden;
      double sum = 0;
      for (std::int32_t token = 0; token < kVocabulary; ++token) sum += std::exp(double{logit(state, token)});
      out.push_back(static_cast<float>(double{logit(state, targets[row])} - std::log(sum)));
    }
    return out;
  }

  std::vector<quant::PackedWeight*> weights() override { return {}; }
  std::vector<quant::PackedWeight*> decoder_linears() override { return {}; }

  // What a probe, or rounded scales, add to every hidden state.
  static float shift(const quant::ScaleMode& scales, std::int64_t sign) {
    if (scales.probe == nullptr) return scales.rounded ? 0.25F : 0.0F;
    const bool minus = scales.probe->signs == kernels::Signs::kMinus || sign == 1;
    return minus ? -scales.probe->eps : scales.probe->eps;
  }

  [[nodiscard]] std::array<float, kHidden> state(const std::vector<std::int32_t>& tokens, float shift) const {
    std::array<float, kHidden> out{};
    for (const std::int32_t token : tokens) {
      for (std::size_t i = 0; i < out.size(); ++i) {
        // Each token turns what came before: the order counts.
        const float before = out[(i + 1) % out.size()];
        out[i] = token == poison
                     ? std::numeric_limits<float>::quiet_NaN()
                     : std::sin(0.7F * before + 1.3F * static_cast<float>(token + 1) * static_cast<float>(i + 1));
      }
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += shift * static_cast<float>(i);
    return out;
  }

  static float logit(const float* state, std::int32_t token) {
    float sum = 0;
    for (std::int64_t i = 0; i < kHidden; ++i) {
      sum += state[i] * std::cos(0.9F * static_cast<float>(token) * static_cast<float>(i + 1));
    }
    return 2 * sum;
  }

 private:
  static std::vector<std::int32_t> visible_tokens(const models::PackedBatch& batch, std::int64_t row) {
    std::int64_t segment = 0;
    while (row < batch.segments.at(static_cast<std::size_t>(segment)).begin ||
           row >= batch.segments.at(static_cast<std::size_t>(segment)).begin +
                      batch.segments.at(static_cast<std::size_t>(segment)).length) {
      ++segment;
    }
    std::vector<std::int32_t> tokens;
    for (std::int64_t end = row + 1; segment >= 0;) {
      const models::Segment& part = batch.segments[static_cast<std::size_t>(segment)];
      tokens.insert(tokens.begin(), batch.tokens.begin() + part.begin, batch.tokens.begin() + end);
      segment = part.parent;
      if (segment >= 0) {
        const models::Segment& parent = batch.segments[static_cast<std::size_t>(segment)];
        end = parent.begin + parent.length;
      }
    }
    return tokens;
  }

  models::ModelSummary summary_{
      .family = "toy", .layers = 1, .hidden = kHidden, .vocabulary = kVocabulary, .max_positions = 100};
};

}  // namespace qzo::objectives::testing
