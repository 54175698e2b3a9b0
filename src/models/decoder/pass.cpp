#include "models/decoder/pass.h"

#include <algorithm>

#include "qzo/ops/transformer.h"

namespace qzo::models {

// Sequences longer than the model was trained for are computed all the same, as transformers does.
Decoder::Pass::Pass(const PackedBatch& batch_, std::vector<nn::Rope>& ropes_, nn::Walk walk_)
    : batch(batch_), walk(walk_), longest_(*std::ranges::max_element(batch_.positions) + std::int64_t{1}) {
  for (nn::Rope& rope : ropes_) ropes.push_back(&rope.table(longest_));
  for (std::int64_t sign = 0; sign < walk.signs; ++sign) {
    for (const std::int64_t row : batch.scored) scored_rows.push_back(sign * batch.rows() + row);
  }
  for (const std::int64_t row : batch.scored)
    scored_positions.push_back(batch.positions[static_cast<std::size_t>(row)]);
}

at::Tensor Decoder::Pass::only_scored(const at::Tensor& x) const { return ops::select_rows(x, scored_rows); }

const Decoder::Pass::Visible& Decoder::Pass::visible(std::int64_t window) const {
  if (window >= longest_) window = 0;
  const auto [entry, is_new] = visible_.try_emplace(window);
  if (is_new) entry->second = visible_ranges(batch, window);
  return entry->second;
}

}  // namespace qzo::models
