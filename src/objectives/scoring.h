#pragma once
// Candidate scores of a list of examples under one or both signs; what both objectives are made of.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "qzo/models/causal_lm.h"
#include "qzo/objectives/classification.h"

namespace qzo::objectives {

// Consecutive ranges of items whose token counts sum to at most `limit` (0: one range); an item over the limit is
// alone.
std::vector<std::pair<std::size_t, std::size_t>> passes(std::size_t items, std::int64_t limit,
                                                        const std::function<std::int64_t(std::size_t)>& tokens);

// Runs `walk` once with the probe as it is, or once per sign if the two signs are not to be stacked. Returns what the
// walks returned, plus first; `walk` gives one result per sign of its mode.
template <class Result>
std::vector<Result> for_signs(const quant::ScaleMode& mode, bool stacked,
                              const std::function<std::vector<Result>(const quant::ScaleMode&)>& walk) {
  if (mode.probe == nullptr || mode.probe->signs != kernels::Signs::kBoth || stacked) return walk(mode);
  std::vector<Result> out;
  for (const kernels::Signs sign : {kernels::Signs::kPlus, kernels::Signs::kMinus}) {
    kernels::Probe probe = *mode.probe;
    probe.signs = sign;
    quant::ScaleMode one = mode;
    one.probe = &probe;
    for (Result& result : walk(one)) out.push_back(std::move(result));
  }
  return out;
}

// log p(target | row) for (row, target) queries on the scored hidden states; one vector per sign.
struct Query {
  std::int64_t row;  // index into the batch's scored rows
  std::int32_t target;
};
std::vector<std::vector<float>> query_log_probabilities(models::CausalLm& model, const at::Tensor& hidden,
                                                        std::span<const Query> queries,
                                                        const models::ForwardContext& context);

}  // namespace qzo::objectives
