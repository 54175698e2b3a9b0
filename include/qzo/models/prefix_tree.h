#pragma once
// Token sequences as a tree: what they begin with in common is there once. A row depends on the tokens up to it and on
// nothing else (attention is causal), so the rows of the tree are all that has to be computed, and exactly that.

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "qzo/models/packed_batch.h"

namespace qzo::models {

class PrefixTree {
 public:
  // Sequences share rows only with those that start at the same root. Roots count down from here, rows up from 0.
  static constexpr std::int64_t kRoot = -1;
  std::int64_t new_root() { return --last_root_; }
  // Follows `ids` from a root, appending rows for what is not there yet. Returns the row of each id.
  std::vector<std::int64_t> add(std::span<const std::int32_t> ids, std::int64_t root);
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(tokens_.size()); }

  // Rows in the order in which they were appended; a segment ends where the tree branches. Nothing is scored yet.
  [[nodiscard]] PackedBatch pack() const;

 private:
  using Child = std::pair<std::int64_t, std::int32_t>;  // row before it, or root; token
  std::int64_t last_root_ = kRoot;
  std::vector<std::int32_t> tokens_;   // [rows]
  std::vector<std::int64_t> parents_;  // [rows], always a lower row, or a root
  std::map<Child, std::int64_t> children_;
};

}  // namespace qzo::models
