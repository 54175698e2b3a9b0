#pragma once
// Perplexity of a text: exp of the mean of -log p(token | tokens before it in its window).

#include <cstdint>
#include <functional>
#include <span>

#include "qzo/models/causal_lm.h"

namespace qzo::objectives {

struct PerplexityOptions {
  std::int64_t context = 2048;  // tokens of a window, at least 2
  bool rounded_scales = true;   // as exported
  ops::Precision precision = ops::Precision::kFp32;
  std::int64_t rows_per_pass = 2048;  // windows that go through the model together; any value, the same bits
};

struct Perplexity {
  double loss = 0;            // mean over scored tokens, natural logarithm
  double standard_error = 0;  // of loss, over windows of about equal length; 0 for a single one
  std::int64_t scored = 0;
  std::int64_t windows = 0;

  [[nodiscard]] double value() const;
};

// The tokens of the whole text are cut into windows one after the other, without overlap; the last one may be short.
// The first token of a window is not scored (so a single token left at the end is dropped). This is what scripts around
// transformers and GPTQ report. InternalError for fewer than two tokens.
Perplexity measure_perplexity(models::CausalLm& model, std::span<const std::int32_t> tokens,
                              const PerplexityOptions& options, const std::function<void(double share)>& progress);

}  // namespace qzo::objectives
