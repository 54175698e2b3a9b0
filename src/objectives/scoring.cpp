#include "objectives/scoring.h"

#include "qzo/core/check.h"
#include "qzo/ops/transformer.h"

namespace qzo::objectives {

std::vector<std::int64_t> predicting_rows(models::PrefixTree& tree, std::int64_t root,
                                          const std::vector<std::int32_t>& prompt,
                                          const std::vector<std::int32_t>& answer) {
  QZO_CHECK(!prompt.empty() && !answer.empty(), "prompt of ", prompt.size(), " tokens, answer of ", answer.size());
  std::vector<std::int32_t> ids = prompt;
  ids.insert(ids.end(), answer.begin(), answer.end() - 1);
  std::vector<std::int64_t> rows = tree.add(ids, root);
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(prompt.size()) - 1);
  return rows;
}

std::int64_t example_root(models::PrefixTree& tree, Sharing sharing) {
  return sharing == Sharing::kBeginnings ? models::PrefixTree::kRoot : tree.new_root();
}

std::vector<Pass> passes(std::size_t items, std::int64_t limit,
                         const std::function<void(models::PrefixTree& tree, std::size_t item)>& add) {
  if (limit <= 0) return {{0, items}};
  std::vector<Pass> out;
  models::PrefixTree tree;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < items; ++i) {
    add(tree, i);
    if (i == begin || tree.rows() <= limit) continue;
    out.emplace_back(begin, i);
    begin = i;
    tree = {};
    add(tree, i);
  }
  out.emplace_back(begin, items);
  return out;
}

at::Tensor rows_of_signs(const at::Tensor& hidden, std::span<const std::int64_t> rows, std::int64_t signs) {
  const std::int64_t scored = hidden.size(0) / signs;
  std::vector<std::int64_t> all;
  all.reserve(rows.size() * static_cast<std::size_t>(signs));
  for (std::int64_t sign = 0; sign < signs; ++sign) {
    for (const std::int64_t row : rows) all.push_back(sign * scored + row);
  }
  return ops::select_rows(hidden, all);
}

std::vector<std::vector<float>> log_probabilities(models::CausalLm& model, const at::Tensor& hidden,
                                                  std::span<const Query> queries,
                                                  const models::ForwardContext& context) {
  std::vector<std::int64_t> rows;
  std::vector<std::int32_t> targets;
  for (std::int64_t sign = 0; sign < context.signs(); ++sign) {
    for (const Query& query : queries) {
      if (sign == 0) rows.push_back(query.row);
      targets.push_back(query.target);
    }
  }
  const std::vector<float> flat =
      model.log_probabilities(rows_of_signs(hidden, rows, context.signs()), targets, context);
  std::vector<std::vector<float>> out;
  for (std::int64_t sign = 0; sign < context.signs(); ++sign) {
    const auto begin = flat.begin() + static_cast<std::ptrdiff_t>(queries.size()) * sign;
    out.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(queries.size()));
  }
  return out;
}

}  // namespace qzo::objectives
