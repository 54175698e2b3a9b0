#include "objectives/scoring.h"

#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

namespace qzo::objectives {

std::vector<std::pair<std::size_t, std::size_t>> passes(std::size_t items, std::int64_t limit,
                                                        const std::function<std::int64_t(std::size_t)>& tokens) {
  std::vector<std::pair<std::size_t, std::size_t>> out;
  std::int64_t sum = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < items; ++i) {
    const std::int64_t count = tokens(i);
    if (limit > 0 && i > begin && sum + count > limit) {
      out.emplace_back(begin, i);
      begin = i;
      sum = 0;
    }
    sum += count;
  }
  if (begin < items) out.emplace_back(begin, items);
  return out;
}

at::Tensor rows_of_signs(const at::Tensor& hidden, std::span<const std::int64_t> rows, std::int64_t signs) {
  const std::int64_t scored = hidden.size(0) / signs;
  std::vector<std::int64_t> all;
  all.reserve(rows.size() * static_cast<std::size_t>(signs));
  for (std::int64_t sign = 0; sign < signs; ++sign) {
    for (const std::int64_t row : rows) all.push_back(sign * scored + row);
  }
  return hidden.index_select(0, at::tensor(all, at::kLong));
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
