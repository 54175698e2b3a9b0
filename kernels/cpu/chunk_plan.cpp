#include <algorithm>

#include "cpu/late_variant.h"

namespace qzo::kernels {
namespace {

constexpr std::int64_t kLongestChunk = 128;

// One group's inputs, in `order`, cut into chunks; gaps at the end of each are padded.
void add_group(ChunkPlan& plan, std::int32_t group, std::int64_t inputs, const std::int32_t* order) {
  for (std::int64_t begin = 0; begin < inputs; begin += kLongestChunk) {
    const std::int64_t count = std::min(kLongestChunk, inputs - begin);
    const std::int64_t padded = (count + 3) / 4 * 4;
    plan.length.push_back(static_cast<std::int32_t>(padded));
    plan.group.push_back(group);
    plan.source.insert(plan.source.end(), order + begin, order + begin + count);
    plan.source.insert(plan.source.end(), static_cast<std::size_t>(padded - count), -1);
    plan.depth += padded;
  }
}

// Inputs of every group in ascending order: [in], and where each group begins.
struct Order {
  std::vector<std::int32_t> inputs;
  std::vector<std::size_t> first;
};

Order order_by_group(const CodeView& weight) {
  const std::int64_t groups = groups_along_input(weight);
  const auto group_of = [&](std::int64_t k) {
    return static_cast<std::size_t>(weight.group_of != nullptr ? weight.group_of[k] : k / weight.group);
  };
  Order order{std::vector<std::int32_t>(static_cast<std::size_t>(weight.in)),
              std::vector<std::size_t>(static_cast<std::size_t>(groups) + 1)};
  for (std::int64_t k = 0; k < weight.in; ++k) ++order.first[group_of(k) + 1];
  for (std::size_t g = 1; g < order.first.size(); ++g) order.first[g] += order.first[g - 1];
  std::vector<std::size_t> next = order.first;
  for (std::int64_t k = 0; k < weight.in; ++k) order.inputs[next[group_of(k)]++] = static_cast<std::int32_t>(k);
  return order;
}

// Blocks of nearly equal depth: a short last one would cost as much around its products as a long one.
void cut_into_blocks(ChunkPlan& plan) {
  const std::int64_t blocks = (plan.depth + kBlockDepth - 1) / kBlockDepth;
  const std::int64_t target = (plan.depth + blocks - 1) / blocks;
  plan.block = {0};
  std::int64_t depth = 0;
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(plan.length.size()); ++c) {
    const std::int32_t length = plan.length[static_cast<std::size_t>(c)];
    const bool full = depth >= target || depth + length > kBlockDepth || c - plan.block.back() == kBlockChunks;
    if (c > 0 && full) {
      plan.block.push_back(c);
      depth = 0;
    }
    depth += length;
  }
  plan.block.push_back(static_cast<std::int32_t>(plan.length.size()));
}

}  // namespace

ChunkPlan make_chunk_plan(const CodeView& weight) {
  ChunkPlan plan;
  const Order order = order_by_group(weight);
  for (std::size_t g = 0; g + 1 < order.first.size(); ++g)
    add_group(plan, static_cast<std::int32_t>(g), static_cast<std::int64_t>(order.first[g + 1] - order.first[g]),
              order.inputs.data() + order.first[g]);
  bool in_place = plan.depth == weight.in;
  for (std::size_t i = 0; i < plan.source.size() && in_place; ++i)
    in_place = plan.source[i] == static_cast<std::int32_t>(i);
  if (in_place) plan.source = {};
  cut_into_blocks(plan);
  return plan;
}

}  // namespace qzo::kernels
