#pragma once
// What the layers of one forward call share.

#include <cstdint>
#include <map>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/models/packed_batch.h"
#include "qzo/models/visibility.h"
#include "qzo/nn/linear.h"
#include "qzo/nn/rope.h"

#include "models/decoder/decoder.h"

namespace qzo::models {

struct Decoder::Pass {
  using Visible = std::vector<std::vector<kernels::RowRange>>;  // [T]

  const PackedBatch& batch;
  nn::Walk walk;
  std::vector<const ops::RopeTable*> ropes;
  std::vector<std::int32_t> scored_positions;
  std::vector<std::int64_t> scored_rows;  // [S * scored]: rows of [S * T, C]

  Pass(const PackedBatch& batch, std::vector<nn::Rope>& ropes, nn::Walk walk);
  [[nodiscard]] at::Tensor only_scored(const at::Tensor& x) const;
  // Ranges under a window, made once.
  [[nodiscard]] const Visible& visible(std::int64_t window) const;

 private:
  std::int64_t longest_ = 0;
  mutable std::map<std::int64_t, Visible> visible_;
};

}  // namespace qzo::models
