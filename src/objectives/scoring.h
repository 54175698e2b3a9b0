#pragma once
// What both objectives are made of: passes over a batch, signs together or one by one, log-probabilities of tokens.

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "qzo/models/causal_lm.h"

namespace qzo::objectives {

// Consecutive ranges [first, second) of items, in order, whose token counts sum to at most `limit` (0: one range). An
// item over the limit has a range of its own.
std::vector<std::pair<std::size_t, std::size_t>> passes(std::size_t items, std::int64_t limit,
                                                        const std::function<std::int64_t(std::size_t)>& tokens);

// `walk` gives one result per sign of the mode it is called with, plus first. Calls it once; for a probe of both signs
// that are not to be stacked, once per sign.
template <class Walk>
auto for_signs(const quant::ScaleMode& mode, bool stacked, const Walk& walk) {
  if (mode.probe == nullptr || mode.probe->signs != kernels::Signs::kBoth || stacked) return walk(mode);
  const auto walk_one = [&](kernels::Signs sign) {
    kernels::Probe probe = *mode.probe;
    probe.signs = sign;
    quant::ScaleMode one = mode;
    one.probe = &probe;
    return walk(one);
  };
  auto results = walk_one(kernels::Signs::kPlus);
  for (auto& result : walk_one(kernels::Signs::kMinus)) results.push_back(std::move(result));
  return results;
}

// hidden [signs * scored, C] -> [signs * rows.size(), C]: the given scored rows of each sign, plus first.
at::Tensor rows_of_signs(const at::Tensor& hidden, std::span<const std::int64_t> rows, std::int64_t signs);

// log p(target | row), asked of the scored row with this index in the batch's list.
struct Query {
  std::int64_t row = 0;
  std::int32_t target = 0;
};
// One vector per sign, in the order of the queries. hidden [signs * scored, C].
std::vector<std::vector<float>> log_probabilities(models::CausalLm& model, const at::Tensor& hidden,
                                                  std::span<const Query> queries,
                                                  const models::ForwardContext& context);

}  // namespace qzo::objectives
