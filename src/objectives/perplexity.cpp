#include "qzo/objectives/perplexity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "qzo/core/check.h"

namespace qzo::objectives {
namespace {

// -log p of the scored tokens of some windows, in order.
std::vector<float> losses_of(models::CausalLm& model, std::span<const std::span<const std::int32_t>> windows,
                             const models::ForwardContext& context) {
  models::PackedBatch batch;
  std::vector<std::int32_t> targets;
  for (const auto window : windows) {
    const std::int64_t first = batch.rows();
    batch.add(window.first(window.size() - 1));
    for (std::int64_t row = first; row < batch.rows(); ++row) batch.scored.push_back(row);
    targets.insert(targets.end(), window.begin() + 1, window.end());
  }
  std::vector<float> losses = model.log_probabilities(model.forward(batch, context), targets, context);
  for (float& loss : losses) loss = -loss;
  return losses;
}

}  // namespace

double Perplexity::value() const { return std::exp(loss); }

Perplexity measure_perplexity(models::CausalLm& model, std::span<const std::int32_t> tokens,
                              const PerplexityOptions& options, const std::function<void(double share)>& progress) {
  QZO_CHECK(tokens.size() >= 2 && options.context >= 2, tokens.size(), " tokens, windows of ", options.context);
  const auto context = static_cast<std::size_t>(options.context);
  std::vector<std::span<const std::int32_t>> windows;
  for (std::size_t begin = 0; begin + 1 < tokens.size(); begin += context)
    windows.push_back(tokens.subspan(begin, std::min(context, tokens.size() - begin)));

  const auto at_once = static_cast<std::size_t>(std::max<std::int64_t>(1, options.rows_per_pass / options.context));
  const models::ForwardContext mode{.scales = {.rounded = options.rounded_scales}, .precision = options.precision};
  double total = 0;
  std::vector<double> means;
  Perplexity result;
  for (std::size_t begin = 0; begin < windows.size(); begin += at_once) {
    const auto part = std::span(windows).subspan(begin, std::min(at_once, windows.size() - begin));
    const std::vector<float> losses = losses_of(model, part, mode);
    auto loss = losses.begin();
    for (const auto window : part) {
      double sum = 0;
      for (std::size_t t = 1; t < window.size(); ++t) sum += *loss++;
      total += sum;
      means.push_back(sum / static_cast<double>(window.size() - 1));
      result.scored += static_cast<std::int64_t>(window.size()) - 1;
    }
    progress(static_cast<double>(begin + part.size()) / static_cast<double>(windows.size()));
  }
  result.windows = static_cast<std::int64_t>(windows.size());
  result.loss = total / static_cast<double>(result.scored);
  if (means.size() > 1) {
    const auto count = static_cast<double>(means.size());
    double middle = 0, squares = 0;
    for (const double mean : means) middle += mean / count;
    for (const double mean : means) squares += (mean - middle) * (mean - middle);
    result.standard_error = std::sqrt(squares / (count - 1) / count);
  }
  return result;
}

}  // namespace qzo::objectives
