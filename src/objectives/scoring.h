#pragma once
// What both objectives are made of: what of a batch is computed, passes over it, signs together or one by one,
// log-probabilities of tokens.

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "qzo/models/causal_lm.h"
#include "qzo/models/prefix_tree.h"
#include "qzo/objectives/classification.h"

namespace qzo::objectives {

// Rows that predict an answer behind a prompt: row t predicts token t. The last token is predicted, never computed.
// InternalError if either is empty.
std::vector<std::int64_t> predicting_rows(models::PrefixTree& tree, std::int64_t root,
                                          const std::vector<std::int32_t>& prompt,
                                          const std::vector<std::int32_t>& answer);

// Where the sequences of the next example start.
std::int64_t example_root(models::PrefixTree& tree, Sharing sharing);

// The rows of a pass whose hidden states are asked for, each once.
class ScoredRows {
 public:
  // Index of a row in rows().
  std::int64_t index(std::int64_t row) {
    const auto [entry, is_new] = index_.emplace(row, static_cast<std::int64_t>(rows_.size()));
    if (is_new) rows_.push_back(row);
    return entry->second;
  }
  [[nodiscard]] const std::vector<std::int64_t>& rows() const { return rows_; }

 private:
  std::vector<std::int64_t> rows_;
  std::map<std::int64_t, std::int64_t> index_;
};

// Consecutive ranges [first, second) of items, in order, of which each makes a tree of at most `limit` rows (0: one
// range). An item over the limit has a range of its own. `add` adds the sequences of an item.
using Pass = std::pair<std::size_t, std::size_t>;
std::vector<Pass> passes(std::size_t items, std::int64_t limit,
                         const std::function<void(models::PrefixTree& tree, std::size_t item)>& add);

// Results per item, as compute(begin, end) gives them for the items of a pass; one container per sign, plus first.
template <class Results, class Compute>
std::vector<Results> in_passes(std::span<const Pass> parts, const models::ForwardContext& context,
                               const Compute& compute) {
  std::vector<Results> out(static_cast<std::size_t>(context.signs()));
  for (const auto& [begin, end] : parts) {
    const std::vector<Results> part = compute(begin, end);
    for (std::size_t sign = 0; sign < out.size(); ++sign) {
      out[sign].insert(out[sign].end(), part[sign].begin(), part[sign].end());
    }
  }
  return out;
}

// Equal items once, in the order of their first appearance.
template <class Item>
struct Distinct {
  std::vector<const Item*> items;
  std::vector<std::size_t> index;  // of every item given: which of `items` it equals
};
// key(item): what of it is computed, with a < of its own.
template <class Item, class Key>
Distinct<Item> distinct(std::span<const Item> all, Sharing sharing, const Key& key) {
  Distinct<Item> out;
  std::map<decltype(key(all[0])), std::size_t> known;
  for (const Item& item : all) {
    std::size_t index = out.items.size();
    if (sharing >= Sharing::kExamples) index = known.emplace(key(item), index).first->second;
    if (index == out.items.size()) out.items.push_back(&item);
    out.index.push_back(index);
  }
  return out;
}

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
